//! One device's connection after it was let in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{
    ConnAck, ConnectReturnCode, LastWill, Packet, PubAck, Publish, SubAck, Subscribe, SubscribeReasonCode,
    UnsubAck, Unsubscribe,
};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::connect::Accepted;
use super::topics::{Incoming, Subscription};
use super::wire::{Wire, WireError};
use crate::bag::{BagError, PropertyBag};
use crate::connections::{Connection, MAX_METHOD_BYTES, MethodError, MethodReply, Outbound};
use crate::error::HubError;
use crate::events::NewEvent;
use crate::hub::Context;
use crate::registry::Activity;

/// A message with its property values, and the names of application properties.
const MAX_MESSAGE: usize = 256 << 10;
/// The largest packet: a message, and a topic in which percent-encoding has made the properties longer.
const MAX_PACKET: usize = MAX_MESSAGE + (64 << 10) + 8;
/// Events collected before they are stored together.
const MAX_BATCH: usize = 256;
/// The longest the hub waits for a silent device.
const LONGEST_SILENCE: Duration = Duration::from_secs(1767);
/// Longest delay of an injected fault.
const LONGEST_FAULT_DELAY: u64 = 300;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the device disconnected")]
    Disconnect,
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("the device broke the protocol: {0}")]
    Protocol(&'static str),
    #[error(transparent)]
    Bag(#[from] BagError),
    #[error("nothing came within 1.5 times the keep-alive interval")]
    Silence,
    #[error("closed by the hub: a newer connection, or the device was removed or disabled")]
    Kicked,
    #[error("the token expired")]
    Expired,
    #[error("the hub stops")]
    Stopped,
    #[error("the device asked for a fault")]
    Fault,
    #[error(transparent)]
    Hub(#[from] HubError),
}

struct Session<'a, S> {
    wire: Wire<S>,
    context: &'a Context,
    connection: Arc<Connection>,
    activity: Arc<Activity>,
    device_id: String,
    persistent: bool,
    /// What every event of this connection carries.
    system: BTreeMap<String, String>,
    subscriptions: Vec<Subscription>,
    /// Telemetry not yet stored, and the packet ids that wait for it.
    events: Vec<NewEvent>,
    acknowledgements: Vec<u16>,
    /// When an injected fault strikes.
    fault: Option<Instant>,
}

/// Welcomes the device and serves it to the end.
pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    wire: Wire<S>,
    accepted: Accepted,
    context: &Context,
) {
    let device_id = accepted.device.device_id.clone();
    let Some(activity) = context.registry.activity(&device_id) else { return };
    let (connection, outbound) = context.connections.enter(&device_id);
    // The device may have been removed between the check of its token and the entry above.
    if context
        .registry
        .get(&device_id)
        .is_none_or(|device| device.generation_id != accepted.device.generation_id)
    {
        context.connections.leave(&device_id, &connection);
        return;
    }
    activity.connection_changed();
    let mut session = Session {
        system: system_properties(&accepted),
        wire,
        context,
        connection: Arc::clone(&connection),
        activity: Arc::clone(&activity),
        device_id: device_id.clone(),
        persistent: !accepted.clean_session,
        subscriptions: Vec::new(),
        events: Vec::new(),
        acknowledgements: Vec::new(),
        fault: None,
    };
    let end = tokio::select! {
        end = session.serve(&accepted, outbound) => end,
        () = connection.kick.cancelled() => End::Kicked,
        () = tokio::time::sleep(accepted.lifetime) => End::Expired,
        () = context.stop.cancelled() => End::Stopped,
    };
    context.connections.leave(&device_id, &connection);
    activity.connection_changed();
    tracing::debug!(device = %device_id, reason = %end, "connection ended");
    if let (Some(will), false) = (&accepted.will, matches!(end, End::Disconnect | End::Stopped)) {
        session.leave_will(will).await;
    }
    if !matches!(end, End::Wire(_) | End::Fault) {
        session.wire.shutdown().await;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<'_, S> {
    async fn serve(&mut self, accepted: &Accepted, outbound: mpsc::Receiver<Outbound>) -> End {
        match self.exchange(accepted, outbound).await {
            Ok(end) | Err(end) => end,
        }
    }

    async fn exchange(
        &mut self,
        accepted: &Accepted,
        mut outbound: mpsc::Receiver<Outbound>,
    ) -> Result<End, End> {
        self.welcome(accepted).await?;
        let patience = match accepted.keep_alive {
            0 => LONGEST_SILENCE,
            seconds => Duration::from_millis(u64::from(seconds) * 1500).min(LONGEST_SILENCE),
        };
        let mut deadline = Instant::now() + patience;
        loop {
            let mut heard = false;
            while let Some(packet) = self.wire.packet(MAX_PACKET)? {
                heard = true;
                if self.take(packet).await? {
                    self.store().await?;
                    self.wire.flush().await?;
                    return Ok(End::Disconnect);
                }
                self.wire.relieve().await?;
            }
            self.store().await?;
            self.wire.flush().await?;
            if heard {
                deadline = Instant::now() + patience;
                self.activity.heard();
            }
            let fault = self.fault.unwrap_or(deadline);
            tokio::select! {
                filled = self.wire.fill() => filled?,
                Some(message) = outbound.recv() => self.send(message)?,
                () = tokio::time::sleep_until(fault), if self.fault.is_some() => return Ok(End::Fault),
                () = tokio::time::sleep_until(deadline) => return Ok(End::Silence),
            }
        }
    }

    async fn welcome(&mut self, accepted: &Accepted) -> Result<(), End> {
        let registry = &self.context.registry;
        let earlier = if self.persistent { registry.session(&self.device_id) } else { None };
        let present = earlier.is_some();
        self.subscriptions = earlier
            .iter()
            .flatten()
            .filter_map(|filter| Subscription::parse(&self.device_id, filter))
            .collect();
        registry.set_model(&self.device_id, accepted.model.as_deref())?;
        self.wire.push(&Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, present)))?;
        self.wire.flush().await?;
        self.keep_subscriptions()
    }

    /// Handles one packet; `true` when the device says goodbye.
    async fn take(&mut self, packet: Packet) -> Result<bool, End> {
        match packet {
            Packet::Publish(publish) => self.publish(publish).await?,
            Packet::Subscribe(subscribe) => self.subscribe(&subscribe)?,
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(&unsubscribe)?,
            Packet::PingReq => self.wire.push(&Packet::PingResp)?,
            // All that is sent to devices has QoS 0; a stray acknowledgement does no harm.
            Packet::PubAck(_) => {}
            Packet::Disconnect => return Ok(true),
            Packet::Connect(_) => return Err(End::Protocol("a second CONNECT")),
            _ => return Err(End::Protocol("a packet that only a server sends")),
        }
        Ok(false)
    }

    async fn publish(&mut self, publish: Publish) -> Result<(), End> {
        if publish.qos == QoS::ExactlyOnce {
            return Err(End::Protocol("QoS 2 is not offered"));
        }
        let topic = Incoming::parse(&self.device_id, &publish.topic)
            .ok_or(End::Protocol("a topic that is not the device's to publish to"))?;
        match topic {
            Incoming::Telemetry(bag) => {
                let event = self.event(bag, &publish.payload, publish.retain)?;
                if let Some(delay) = fault(&event.properties) {
                    // As in the service, the message that asks for the fault is not acknowledged.
                    self.fault.get_or_insert(Instant::now() + delay);
                    return Ok(());
                }
                self.events.push(event);
                if publish.qos == QoS::AtLeastOnce {
                    self.acknowledgements.push(publish.pkid);
                }
                if self.events.len() >= MAX_BATCH {
                    self.store().await?;
                }
                return Ok(());
            }
            Incoming::MethodResponse { status, request } => {
                self.connection.answer(request, reply(status, &publish.payload));
            }
            Incoming::TwinGet { request } => {
                let twin = self.context.registry.twin(&self.device_id);
                let document = twin.map_or(Value::Null, |twin| twin.for_device());
                self.send_json(format!("$iothub/twin/res/200/?$rid={request}"), &document)?;
            }
            Incoming::TwinReport { request } => self.report(request, &publish.payload)?,
        }
        if publish.qos == QoS::AtLeastOnce {
            self.wire.push(&Packet::PubAck(PubAck::new(publish.pkid)))?;
        }
        Ok(())
    }

    fn report(&mut self, request: &str, payload: &[u8]) -> Result<(), End> {
        let outcome = serde_json::from_slice(payload)
            .map_err(|error| HubError::Twin(format!("the reported patch is not JSON: {error}")))
            .and_then(|patch: Value| self.context.registry.report(&self.device_id, &patch));
        match outcome {
            Ok(version) => self.send(Outbound {
                topic: format!("$iothub/twin/res/204/?$rid={request}&$version={version}"),
                payload: Bytes::new(),
            }),
            Err(error @ HubError::Twin(_)) => {
                let body = json!({ "errorCode": 400_004, "message": error.to_string() });
                self.send_json(format!("$iothub/twin/res/400/?$rid={request}"), &body)
            }
            Err(error) => {
                tracing::error!(device = %self.device_id, %error, "cannot store reported properties");
                let body = json!({ "errorCode": 500_001, "message": error.to_string() });
                self.send_json(format!("$iothub/twin/res/500/?$rid={request}"), &body)
            }
        }
    }

    fn subscribe(&mut self, subscribe: &Subscribe) -> Result<(), End> {
        let mut codes = Vec::with_capacity(subscribe.filters.len());
        for wanted in &subscribe.filters {
            let Some(subscription) = Subscription::parse(&self.device_id, &wanted.path) else {
                codes.push(SubscribeReasonCode::Failure);
                continue;
            };
            if !self.subscriptions.contains(&subscription) {
                self.subscriptions.push(subscription);
            }
            let granted = if wanted.qos == QoS::AtMostOnce { QoS::AtMostOnce } else { QoS::AtLeastOnce };
            codes.push(SubscribeReasonCode::Success(granted));
        }
        self.wire.push(&Packet::SubAck(SubAck::new(subscribe.pkid, codes)))?;
        self.keep_subscriptions()
    }

    fn unsubscribe(&mut self, unsubscribe: &Unsubscribe) -> Result<(), End> {
        for filter in &unsubscribe.topics {
            if let Some(gone) = Subscription::parse(&self.device_id, filter) {
                self.subscriptions.retain(|subscription| *subscription != gone);
            }
        }
        self.wire.push(&Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid)))?;
        self.keep_subscriptions()
    }

    fn keep_subscriptions(&self) -> Result<(), End> {
        let filters = || self.subscriptions.iter().map(|one| one.filter(&self.device_id)).collect();
        self.context.registry.set_session(&self.device_id, self.persistent.then(filters))?;
        let holds = |wanted| self.subscriptions.contains(&wanted);
        let (methods, desired) = (holds(Subscription::Methods), holds(Subscription::DesiredChanges));
        self.context.connections.subscribed(&self.connection, methods, desired);
        Ok(())
    }

    fn event(&self, bag: &str, payload: &[u8], retain: bool) -> Result<NewEvent, End> {
        let mut bag = PropertyBag::decode(bag)?;
        if payload.len() + bag.size() > MAX_MESSAGE {
            return Err(End::Protocol("a message larger than 256 KB"));
        }
        if retain {
            bag.application.insert("mqtt-retain".to_owned(), "true".to_owned());
        }
        bag.system.extend(self.system.iter().map(|(key, value)| (key.clone(), value.clone())));
        Ok(NewEvent {
            device_id: self.device_id.clone(),
            system_properties: bag.system,
            properties: bag.application,
            // A copy, because the payload is part of a larger buffer that it would keep alive.
            body: Bytes::copy_from_slice(payload),
        })
    }

    /// Stores collected telemetry; acknowledges it only after.
    async fn store(&mut self) -> Result<(), End> {
        if self.events.is_empty() {
            return Ok(());
        }
        self.context.events.append_batch(std::mem::take(&mut self.events)).await?;
        for packet in std::mem::take(&mut self.acknowledgements) {
            self.wire.push(&Packet::PubAck(PubAck::new(packet)))?;
        }
        Ok(())
    }

    fn send_json(&mut self, topic: String, body: &Value) -> Result<(), End> {
        self.send(Outbound { topic, payload: body.to_string().into() })
    }

    fn send(&mut self, message: Outbound) -> Result<(), End> {
        let publish = Publish::from_bytes(message.topic, QoS::AtMostOnce, message.payload);
        Ok(self.wire.push(&Packet::Publish(publish))?)
    }

    /// A will is telemetry like any other, with a mark.
    async fn leave_will(&self, will: &LastWill) {
        let Some(Incoming::Telemetry(bag)) = Incoming::parse(&self.device_id, &will.topic) else { return };
        let stored = match self.event(bag, &will.message, will.retain) {
            Ok(mut event) => {
                event.properties.insert("iothub-MessageType".to_owned(), "Will".to_owned());
                self.context.events.append(event).await.map(drop).map_err(End::from)
            }
            Err(end) => Err(end),
        };
        if let Err(reason) = stored {
            tracing::warn!(device = %self.device_id, %reason, "the device's will was not stored");
        }
    }
}

fn system_properties(accepted: &Accepted) -> BTreeMap<String, String> {
    let method = format!(
        r#"{{"scope":"{}","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}}"#,
        accepted.scope
    );
    let mut system = BTreeMap::from(
        [
            ("iothub-connection-device-id", accepted.device.device_id.clone()),
            ("iothub-connection-auth-method", method),
            ("iothub-connection-auth-generation-id", accepted.device.generation_id.clone()),
            ("iothub-message-source", "Telemetry".to_owned()),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
    if let Some(model) = &accepted.model {
        system.insert("dt-dataschema".to_owned(), model.clone());
    }
    system
}

/// The service's own switch for tests: a message can ask that its connection be cut, now or later.
fn fault(properties: &BTreeMap<String, String>) -> Option<Duration> {
    match properties.get("AzIoTHub_FaultOperationType")?.as_str() {
        "KillTcp" | "ShutDownMqtt" => {
            let delay =
                properties.get("AzIoTHub_FaultOperationDelayInSecs").and_then(|text| text.parse().ok());
            Some(Duration::from_secs(delay.unwrap_or(0).min(LONGEST_FAULT_DELAY)))
        }
        _ => None,
    }
}

fn reply(status: i32, payload: &[u8]) -> Result<MethodReply, MethodError> {
    if payload.len() > MAX_METHOD_BYTES {
        return Err(MethodError::Reply);
    }
    if payload.is_empty() {
        return Ok(MethodReply { status, payload: Value::Null });
    }
    serde_json::from_slice(payload)
        .map(|payload| MethodReply { status, payload })
        .map_err(|_| MethodError::Reply)
}
