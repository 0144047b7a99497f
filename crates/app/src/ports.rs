//! What the flow needs of the outside, as traits; `adapters` has the real ones.

use async_trait::async_trait;
use serde_json::Value;
use twinwright_core::time::Micros;

/// A twin as the service has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwinVersion {
    /// ETag for the next conditional write.
    pub etag: String,
    /// Its `observedAt`, if it has one.
    pub observed_at: Option<Micros>,
    /// Whether it shows a `remainingLife`.
    pub shows_life: bool,
}

/// How the service answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TwinAnswer<T> {
    /// It did what was asked.
    Done(T),
    /// There is no such twin.
    NotFound,
    /// Somebody else wrote in between.
    Changed,
    /// It refuses, and why: a person has to mend it.
    Refused(String),
    /// Too many requests: try again after so many microseconds.
    Throttled(Micros),
    /// It cannot be reached, or failed.
    Unavailable(String),
}

/// Writing twins.
#[async_trait]
pub trait TwinPort: Send + Sync {
    /// Reads how new a twin is.
    async fn version(&self, twin: &str) -> TwinAnswer<TwinVersion>;

    /// Patches a twin if it still has the ETag; answers the new one.
    async fn patch(&self, twin: &str, patch: String, etag: &str) -> TwinAnswer<String>;
}

/// How a direct method ended.
#[derive(Clone, Debug, PartialEq)]
pub enum MethodAnswer {
    /// The device answered.
    Answered {
        /// Its status.
        status: i64,
        /// Its payload.
        payload: Value,
    },
    /// The device is not connected, or does not take methods: worth another try.
    NotOnline,
    /// The device did not answer in time. Whether it acted is unknown.
    TimedOut,
    /// There is no such device.
    NotFound,
    /// The hub refuses or cannot be reached.
    Failed(String),
}

/// Calling devices.
#[async_trait]
pub trait DevicePort: Send + Sync {
    /// Calls a direct method.
    async fn invoke(&self, device: &str, method: &str, payload: &Value, timeout_seconds: u32)
    -> MethodAnswer;
}

/// Telling people.
#[async_trait]
pub trait NotifyPort: Send + Sync {
    /// Posts a notification; the receiver drops ids it has seen.
    ///
    /// # Errors
    /// Why it was not taken; the queue brings the message again.
    async fn notify(&self, id: &str, body: &Value) -> Result<(), String>;
}
