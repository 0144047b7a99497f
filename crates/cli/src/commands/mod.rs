//! What the commands do.

mod alerts;
mod csv;
mod doctor;
mod history;
mod hub;
mod local;
mod replay;
pub mod train;
mod twins;

pub use alerts::alerts;
pub use doctor::doctor;
pub use history::{history, history_span, history_speed, history_time};
pub use hub::hub;
pub use local::{simulate, up};
pub use replay::replay;
pub use train::train;
pub use twins::twins;
