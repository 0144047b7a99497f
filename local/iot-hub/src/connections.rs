//! Who is online: one connection per device, newer ones win, and direct methods find their way.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Direct methods a device may have unanswered at a time.
const MAX_METHODS_IN_FLIGHT: usize = 64;
/// Messages waiting to be written to a device.
const OUTBOUND: usize = 128;
/// Request and response of a direct method, in bytes.
pub(crate) const MAX_METHOD_BYTES: usize = 128 << 10;

/// What a device answered to a direct method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodReply {
    /// The device's own status, for example 200.
    pub status: i32,
    /// The device's answer.
    pub payload: Value,
}

/// Why a direct method got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MethodError {
    /// Not connected, or connected without having subscribed to methods.
    #[error(
        "timed out waiting for the device to connect ({0:?}); check that it runs and has a method handler"
    )]
    NotOnline(Duration),
    /// It went away while the method was running.
    #[error("the device disconnected before it answered")]
    Disconnected,
    /// It did not answer in time.
    #[error("timed out waiting for the response from the device ({0:?})")]
    NoReply(Duration),
    /// Too many methods wait already.
    #[error("the device has {MAX_METHODS_IN_FLIGHT} unanswered methods; wait for answers first")]
    TooMany,
    /// The request is too large or its name cannot stand in a topic.
    #[error("method not accepted: {0}")]
    Request(&'static str),
    /// The answer is too large or no JSON.
    #[error("the device's answer is not JSON of at most 128 KB")]
    Reply,
}

/// A message for a device, sent with QoS 0.
#[derive(Debug)]
pub(crate) struct Outbound {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
}

/// One device's connection, as the rest of the hub sees it.
#[derive(Debug)]
pub(crate) struct Connection {
    id: u64,
    pub(crate) kick: CancellationToken,
    outbound: mpsc::Sender<Outbound>,
    methods: AtomicBool,
    desired: AtomicBool,
    pending: Mutex<HashMap<u64, oneshot::Sender<Result<MethodReply, MethodError>>>>,
    next_request: AtomicU64,
}

/// All connections of a hub.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    online: Mutex<HashMap<String, Arc<Connection>>>,
    next_id: AtomicU64,
    /// Someone came, or subscribed.
    changed: Notify,
}

impl Connections {
    /// Enters a device; an older connection of it is told to close.
    pub(crate) fn enter(&self, device_id: &str) -> (Arc<Connection>, mpsc::Receiver<Outbound>) {
        let (outbound, receiver) = mpsc::channel(OUTBOUND);
        let connection = Arc::new(Connection {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            kick: CancellationToken::new(),
            outbound,
            methods: AtomicBool::new(false),
            desired: AtomicBool::new(false),
            pending: Mutex::default(),
            next_request: AtomicU64::new(1),
        });
        if let Some(older) = lock(&self.online).insert(device_id.to_owned(), Arc::clone(&connection)) {
            tracing::info!(
                device = device_id,
                code = 400_027,
                "connection closed because the device connected anew"
            );
            older.kick.cancel();
        }
        (connection, receiver)
    }

    /// Removes a connection, unless a newer one has taken its place.
    pub(crate) fn leave(&self, device_id: &str, connection: &Connection) {
        let mut online = lock(&self.online);
        if online.get(device_id).is_some_and(|current| current.id == connection.id) {
            online.remove(device_id);
        }
        drop(online);
        lock(&connection.pending).clear();
    }

    /// Closes a device's connection, if there is one.
    pub(crate) fn kick(&self, device_id: &str) {
        if let Some(connection) = self.get(device_id) {
            connection.kick.cancel();
        }
    }

    pub(crate) fn is_online(&self, device_id: &str) -> bool {
        lock(&self.online).contains_key(device_id)
    }

    pub(crate) fn count(&self) -> usize {
        lock(&self.online).len()
    }

    /// What the device now listens to.
    pub(crate) fn subscribed(&self, connection: &Connection, methods: bool, desired: bool) {
        connection.methods.store(methods, Ordering::Release);
        connection.desired.store(desired, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// Tells a device of changed desired properties, if it is connected and wants to know.
    pub(crate) fn notify_desired(&self, device_id: &str, version: u64, payload: Vec<u8>) {
        let Some(connection) = self.get(device_id).filter(|c| c.desired.load(Ordering::Acquire)) else {
            return;
        };
        let topic = format!("$iothub/twin/PATCH/properties/desired/?$version={version}");
        if connection.outbound.try_send(Outbound { topic, payload: payload.into() }).is_err() {
            tracing::warn!(
                device = device_id,
                version,
                "desired properties not sent: the device reads too slowly"
            );
        }
    }

    /// Calls a direct method and waits for the answer.
    pub(crate) async fn invoke(
        &self,
        device_id: &str,
        method: &str,
        payload: &Value,
        response_timeout: Duration,
        connect_timeout: Duration,
    ) -> Result<MethodReply, MethodError> {
        if method.is_empty()
            || method.len() > 128
            || method.chars().any(|c| c.is_control() || "/+#?".contains(c))
        {
            return Err(MethodError::Request("a method name has 1 to 128 characters, none of them / + # ?"));
        }
        // `null` rather than nothing: the Node SDK refuses an empty body by itself.
        let payload =
            serde_json::to_vec(payload).map_err(|_| MethodError::Request("the payload is not JSON"))?;
        if payload.len() > MAX_METHOD_BYTES {
            return Err(MethodError::Request("the payload is larger than 128 KB"));
        }
        let connection = self.listening(device_id, connect_timeout).await?;
        let (request, answer) = connection.begin()?;
        // Forgets the request however this ends, also when the caller goes away.
        let _forget = Forget { connection: &connection, request };
        let topic = format!("$iothub/methods/POST/{method}/?$rid={request:x}");
        let message = Outbound { topic, payload: payload.into() };
        let exchange = async {
            connection.outbound.send(message).await.map_err(|_| MethodError::Disconnected)?;
            answer.await.map_err(|_| MethodError::Disconnected)?
        };
        tokio::time::timeout(response_timeout, exchange)
            .await
            .unwrap_or(Err(MethodError::NoReply(response_timeout)))
    }

    /// Waits until the device is connected and has subscribed to methods.
    async fn listening(&self, device_id: &str, timeout: Duration) -> Result<Arc<Connection>, MethodError> {
        let deadline = Instant::now() + timeout;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(connection) = self.get(device_id).filter(|c| c.methods.load(Ordering::Acquire)) {
                return Ok(connection);
            }
            tokio::time::timeout_at(deadline, changed).await.map_err(|_| MethodError::NotOnline(timeout))?;
        }
    }

    fn get(&self, device_id: &str) -> Option<Arc<Connection>> {
        lock(&self.online).get(device_id).cloned()
    }
}

impl Connection {
    /// Takes a device's answer; one that nobody waits for any more is dropped.
    pub(crate) fn answer(&self, request: &str, reply: Result<MethodReply, MethodError>) {
        let waiting =
            u64::from_str_radix(request, 16).ok().and_then(|request| lock(&self.pending).remove(&request));
        if let Some(waiting) = waiting {
            let _ = waiting.send(reply);
        }
    }

    fn begin(&self) -> Result<(u64, oneshot::Receiver<Result<MethodReply, MethodError>>), MethodError> {
        let mut pending = lock(&self.pending);
        if pending.len() >= MAX_METHODS_IN_FLIGHT {
            return Err(MethodError::TooMany);
        }
        let request = self.next_request.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        pending.insert(request, sender);
        Ok((request, receiver))
    }
}

struct Forget<'a> {
    connection: &'a Connection,
    request: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        lock(&self.connection.pending).remove(&self.request);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
