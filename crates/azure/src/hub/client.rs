use std::{fmt, sync::Arc};

use reqwest::Method;
use serde_json::json;
use url::Url;

use super::{
    API_VERSION, Device, NewDevice,
    types::DeviceBody,
    wire::{self, is_not_found},
};
use crate::{
    Error,
    encode::{secure_url, segment},
    http::{Answer, Call, HttpOptions, Transport},
    identity::{IOT_HUB_SCOPE, TokenSource},
    retry::Safety,
};

/// A client of one IoT Hub's service side, or of the local platform's. Clones share the connections.
#[derive(Clone)]
pub struct HubClient {
    pub(super) transport: Arc<Transport>,
    endpoint: Url,
}

impl HubClient {
    /// Connects to `endpoint`, such as `https://plant.azure-devices.net`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Settings`] or [`Error::File`] when the address or the extra certificate authorities cannot be used.
    pub fn new(endpoint: &str, tokens: TokenSource, options: &HttpOptions) -> Result<Self, Error> {
        let endpoint = secure_url("the address of IoT Hub", endpoint)?;
        let identity = Some((tokens, IOT_HUB_SCOPE.to_owned()));
        let transport = Transport::new(&endpoint, identity, options, wire::explain)?;
        Ok(Self { transport: Arc::new(transport), endpoint })
    }

    /// Creates a device identity.
    ///
    /// # Errors
    /// A refusal: `DeviceAlreadyExists` ([`Error::is_conflict`]), … A lost answer is not tried again.
    pub async fn create_device(&self, device: &NewDevice) -> Result<Device, Error> {
        let what = format!("create device {}", device.id);
        let mut body = json!({
            "deviceId": device.id,
            "status": if device.enabled { "enabled" } else { "disabled" },
            "authentication": { "type": "sas" },
        });
        if let Some((primary, secondary)) = &device.keys {
            body["authentication"]["symmetricKey"] =
                json!({ "primaryKey": primary.reveal(), "secondaryKey": secondary.reveal() });
        }
        let call = Call::new(&what, Method::PUT, self.url(&["devices", &segment(&what, &device.id)?], &[]))
            .json(&body)?;
        let answer = self.transport.succeed(&call, Safety::Once).await?;
        Ok(answer.parse::<DeviceBody>(&what)?.into())
    }

    /// Reads a device identity.
    ///
    /// # Errors
    /// All but "not found", which is `None`.
    pub async fn get_device(&self, id: &str) -> Result<Option<Device>, Error> {
        let what = format!("get device {id}");
        let call = Call::new(&what, Method::GET, self.url(&["devices", &segment(&what, id)?], &[]));
        let answer = self.transport.send(&call, Safety::Idempotent, &[]).await?;
        if self.is_missing(&answer) {
            return Ok(None);
        }
        Ok(Some(self.transport.check(&what, answer)?.parse::<DeviceBody>(&what)?.into()))
    }

    /// The first `most` device identities (1 to 1,000: the service has no more for this call).
    ///
    /// # Errors
    /// A refusal with the hub's code.
    pub async fn list_devices(&self, most: u16) -> Result<Vec<Device>, Error> {
        let what = "list devices";
        if !(1..=1000).contains(&most) {
            return Err(Error::input(what, "the hub lists 1 to 1000 devices at a time"));
        }
        let call = Call::new(what, Method::GET, self.url(&["devices"], &[("top", &most.to_string())]));
        let answer = self.transport.succeed(&call, Safety::Idempotent).await?;
        Ok(answer.parse::<Vec<DeviceBody>>(what)?.into_iter().map(Device::from).collect())
    }

    /// Deletes a device identity, whatever its version; `false` means that there was none.
    ///
    /// # Errors
    /// A refusal with the hub's code.
    pub async fn delete_device(&self, id: &str) -> Result<bool, Error> {
        let what = format!("delete device {id}");
        let url = self.url(&["devices", &segment(&what, id)?], &[]);
        let call = Call::new(&what, Method::DELETE, url).header("if-match", "\"*\"")?;
        let answer = self.transport.send(&call, Safety::Idempotent, &[]).await?;
        if self.is_missing(&answer) {
            return Ok(false);
        }
        self.transport.check(&what, answer).map(|_| true)
    }

    /// A gateway's or another service's 404 is no word about the device.
    fn is_missing(&self, answer: &Answer) -> bool {
        answer.status.as_u16() == 404 && is_not_found(&self.transport.explain(answer).0)
    }

    /// The address of a path whose segments are encoded already.
    pub(super) fn url(&self, segments: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.endpoint.clone();
        url.set_path(&format!("{}/{}", self.endpoint.path().trim_end_matches('/'), segments.join("/")));
        url.query_pairs_mut().clear().extend_pairs(query).append_pair("api-version", API_VERSION);
        url
    }
}

impl fmt::Debug for HubClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HubClient").field("endpoint", &self.endpoint.as_str()).finish_non_exhaustive()
    }
}
