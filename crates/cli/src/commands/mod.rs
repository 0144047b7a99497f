//! What the commands do.

mod alerts;
mod csv;
mod doctor;
mod hub;
mod local;
pub mod plugin;
mod replay;
pub mod train;
mod twins;

pub use alerts::alerts;
pub use doctor::doctor;
pub use hub::hub;
pub use local::{simulate, up};
pub use replay::replay;
pub use train::train;
pub use twins::twins;
