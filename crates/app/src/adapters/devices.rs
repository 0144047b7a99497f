//! IoT Hub's direct methods behind [`DevicePort`].

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use twinwright_azure::Error;
use twinwright_azure::hub::{HubClient, MethodOutcome};
use twinwright_azure::identity::TokenSource;

use super::{file, options};
use crate::config::IotHub;
use crate::ports::{DevicePort, MethodAnswer};

/// How long the hub waits for a device that is just reconnecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Devices over IoT Hub's REST.
#[derive(Debug)]
pub struct HubDevices {
    client: HubClient,
}

impl HubDevices {
    /// A client by the configuration; `None` when no hub is configured.
    ///
    /// # Errors
    /// The host, the CA file or the identity cannot be used.
    pub fn new(config: &IotHub) -> Result<Option<Self>, Error> {
        if config.host.is_empty() {
            return Ok(None);
        }
        let tokens = match file(&config.connection_file) {
            Some(path) => TokenSource::sas_file(path),
            None => TokenSource::managed_or_developer()?,
        };
        let mut options = options(&config.ca_file);
        // A method may take five minutes to be answered; the hub bounds it.
        options.timeout = Duration::from_secs(310);
        let url = format!("https://{}", config.host.trim_start_matches("https://"));
        Ok(Some(Self { client: HubClient::new(&url, tokens, &options)? }))
    }
}

#[async_trait]
impl DevicePort for HubDevices {
    async fn invoke(
        &self,
        device: &str,
        method: &str,
        payload: &Value,
        timeout_seconds: u32,
    ) -> MethodAnswer {
        let timeout = Duration::from_secs(u64::from(timeout_seconds));
        match self.client.invoke_method(device, method, payload, timeout, CONNECT_TIMEOUT).await {
            MethodOutcome::Answered { status, payload } => MethodAnswer::Answered { status, payload },
            MethodOutcome::NotOnline => MethodAnswer::NotOnline,
            MethodOutcome::TimedOut => MethodAnswer::TimedOut,
            MethodOutcome::NotFound => MethodAnswer::NotFound,
            MethodOutcome::Failed { message, .. } => MethodAnswer::Failed(message),
        }
    }
}
