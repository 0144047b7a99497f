//! Published scorers in the flow.
