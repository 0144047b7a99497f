//! What the commands do.

mod alerts;
mod baselines;
mod csv;
mod doctor;
mod evaluate;
mod history;
mod hub;
mod life;
mod local;
mod periods;
pub mod plugin;
mod replay;
pub mod train;
mod twins;

pub use alerts::alerts;
pub use doctor::doctor;
pub use evaluate::evaluate;
pub use history::{history, history_span, history_speed, history_time};
pub use hub::hub;
pub use local::{simulate, up};
pub use periods::{label, maintenance};
pub use replay::replay;
pub use train::train;
pub use twins::twins;
