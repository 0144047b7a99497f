//! A signed webhook behind [`NotifyPort`].

use async_trait::async_trait;
use serde_json::Value;
use twinwright_azure::Error;
use twinwright_azure::http::HttpOptions;
use twinwright_azure::notify::Webhook;

use crate::config::Notify;
use crate::ports::NotifyPort;

/// Posts alerts, signed.
pub struct SignedWebhook(Webhook);

impl std::fmt::Debug for SignedWebhook {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("SignedWebhook").finish()
    }
}

impl SignedWebhook {
    /// A sender by the configuration; `None` when no webhook is configured.
    ///
    /// # Errors
    /// The address or the key cannot be used.
    pub fn new(config: &Notify) -> Result<Option<Self>, Error> {
        if config.webhook_url.is_empty() {
            return Ok(None);
        }
        let options = HttpOptions::default();
        Webhook::from_key_file(&config.webhook_url, &config.webhook_key_file, &options).map(Self).map(Some)
    }
}

#[async_trait]
impl NotifyPort for SignedWebhook {
    async fn notify(&self, id: &str, body: &Value) -> Result<(), String> {
        self.0.send(id, body).await.map_err(|error| error.to_string())
    }
}
