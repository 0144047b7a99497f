//! CONNECT: who is it, and may it?

use std::time::{Duration, SystemTime};

use rumqttc::mqttbytes::Error as CodecError;
use rumqttc::mqttbytes::Protocol;
use rumqttc::mqttbytes::v4::{ConnAck, Connect, ConnectReturnCode, LastWill, Packet};
use tokio::io::{AsyncRead, AsyncWrite};

use super::wire::{Wire, WireError};
use crate::hub::Context;
use crate::percent;
use crate::registry::{Device, Right, Status};
use crate::sas::{SasToken, is_accepted_host};

/// CONNECT carries ids, a token and perhaps a will: two texts of 64 KB at most are of any length.
const MAX_CONNECT: usize = 160 << 10;

/// A device that may be here.
pub(super) struct Accepted {
    pub(super) device: Device,
    /// `device` or `hub`: whose key signed.
    pub(super) scope: &'static str,
    pub(super) model: Option<String>,
    pub(super) clean_session: bool,
    /// Seconds; 0 is none.
    pub(super) keep_alive: u16,
    pub(super) will: Option<LastWill>,
    /// Until the token expires.
    pub(super) lifetime: Duration,
}

/// Reads CONNECT and checks it; a refusal is answered here. The CONNACK that welcomes is the session's to send.
pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &mut Wire<S>,
    context: &Context,
) -> Result<Accepted, String> {
    let connect = loop {
        match wire.packet(MAX_CONNECT) {
            Ok(Some(Packet::Connect(connect))) => break connect,
            Ok(Some(_)) => return Err("the first packet is not CONNECT".to_owned()),
            Ok(None) => wire.fill().await.map_err(|error| error.to_string())?,
            Err(WireError::Codec(
                error @ (CodecError::InvalidProtocolLevel(_) | CodecError::InvalidProtocol),
            )) => {
                refuse(wire, ConnectReturnCode::RefusedProtocolVersion).await;
                return Err(error.to_string());
            }
            Err(error) => return Err(error.to_string()),
        }
    };
    match check(connect, context, SystemTime::now()) {
        Ok(accepted) => Ok(accepted),
        Err((code, reason)) => {
            tracing::warn!(%reason, code = code as u8, "connection refused");
            refuse(wire, code).await;
            Err(reason)
        }
    }
}

async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(wire: &mut Wire<S>, code: ConnectReturnCode) {
    if wire.push(&Packet::ConnAck(ConnAck::new(code, false))).is_ok() {
        let _ = wire.flush().await;
    }
    wire.shutdown().await;
}

fn check(
    connect: Connect,
    context: &Context,
    now: SystemTime,
) -> Result<Accepted, (ConnectReturnCode, String)> {
    let denied = |reason: String| (ConnectReturnCode::NotAuthorized, reason);
    if connect.protocol != Protocol::V4 {
        let reason = "MQTT 5 is not offered; use 3.1.1".to_owned();
        return Err((ConnectReturnCode::RefusedProtocolVersion, reason));
    }
    let id = connect.client_id;
    if id.is_empty() || id.len() > 128 || id.chars().any(|c| c.is_control() || c == '/') {
        let reason = format!("client id {id:?} is no device id (modules are not offered)");
        return Err((ConnectReturnCode::BadClientId, reason));
    }
    let login = connect.login.ok_or_else(|| denied(format!("{id}: no user name and password")))?;
    let user = UserName::parse(&login.username)
        .ok_or_else(|| denied(format!("{id}: the user name is not {{host}}/{{device}}/?api-version=…")))?;
    if user.device_id != id {
        return Err(denied(format!("{id}: the user name is for device {:?}", user.device_id)));
    }
    if !is_accepted_host(user.host, &context.hosts) {
        return Err(denied(format!("{id}: host {:?} is not one of {:?}", user.host, context.hosts)));
    }
    let token = SasToken::parse(&login.password).map_err(|error| denied(format!("{id}: {error}")))?;
    let device = context.registry.get(&id).ok_or_else(|| denied(format!("{id}: not registered")))?;
    let (keys, scope) = match &token.policy {
        None => (device.keys(), "device"),
        Some(name) => {
            let policy = context.registry.policy(name).filter(|policy| policy.permits(Right::DeviceConnect));
            let policy =
                policy.ok_or_else(|| denied(format!("{id}: policy {name:?} may not act for devices")))?;
            ([policy.primary_key.as_str(), policy.secondary_key.as_str()], "hub")
        }
    };
    token
        .check(&keys, &context.hosts, &["devices", &id], now)
        .map_err(|error| denied(format!("{id}: {error}")))?;
    if device.status != Status::Enabled {
        return Err(denied(format!("{id}: the device is disabled")));
    }
    Ok(Accepted {
        scope,
        model: user.model,
        clean_session: connect.clean_session,
        keep_alive: connect.keep_alive,
        will: connect.last_will,
        lifetime: token.remaining(now),
        device,
    })
}

/// `{host}/{device}/?api-version=…&model-id=…`; the device id is not encoded, the values are (or are not).
struct UserName<'a> {
    host: &'a str,
    device_id: &'a str,
    model: Option<String>,
}

impl<'a> UserName<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (host, rest) = text.split_once('/')?;
        let (device_id, query) = rest.split_once('/').unwrap_or((rest, ""));
        let model = query
            .trim_start_matches('?')
            .split('&')
            .find_map(|pair| pair.strip_prefix("model-id="))
            .and_then(percent::decode)
            .filter(|model| !model.is_empty() && model.len() <= 512);
        Some(Self { host, device_id, model })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_names_of_both_sdks_are_understood() {
        let python =
            "localhost/d1/?api-version=2020-09-30&DeviceClientType=py%2F2.14&model-id=dtmi%3Aa%3Bb%3B1";
        let node = "localhost:8883/d?1/?api-version=2021-04-12&model-id=dtmi:a;1&DeviceClientType=node%2F1";
        let (python, node) = (UserName::parse(python).unwrap(), UserName::parse(node).unwrap());
        assert_eq!(
            (python.host, python.device_id, python.model.as_deref()),
            ("localhost", "d1", Some("dtmi:a;b;1"))
        );
        assert_eq!(
            (node.host, node.device_id, node.model.as_deref()),
            ("localhost:8883", "d?1", Some("dtmi:a;1"))
        );
        assert!(UserName::parse("d1").is_none());
    }
}
