//! What calls functions without a client: partitions, schedules, queues.

pub(crate) mod event_hub;
pub(crate) mod queue;
pub(crate) mod timer;
