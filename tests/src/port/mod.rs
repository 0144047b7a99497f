//! The suite of the port of the twins, and twins in memory that pass it.

mod memory;
mod suite;

pub use memory::MemoryTwins;
pub use suite::twin_port;
