//! Acceptance: scenarios, conformance and kill tests of the whole system
