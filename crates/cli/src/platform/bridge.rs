//! The hub's event log as the Functions host's event source: the built-in endpoint.

use async_trait::async_trait;
use serde_json::{Map, Value};
use twinwright_local_functions_host::{EventSource, SourceError, SourceEvent};
use twinwright_local_iot_hub::EventLog;

/// See the module.
pub(super) struct BuiltInEndpoint(pub(super) EventLog);

#[async_trait]
impl EventSource for BuiltInEndpoint {
    fn partition_count(&self) -> u32 {
        self.0.partition_count()
    }

    async fn read(
        &self,
        partition: u32,
        from_sequence: i64,
        max: usize,
    ) -> Result<Vec<SourceEvent>, SourceError> {
        let events = self.0.read(partition, from_sequence, max).await?;
        let text = |map: &std::collections::BTreeMap<String, String>| -> Map<String, Value> {
            map.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
        };
        let event = |event: &std::sync::Arc<twinwright_local_iot_hub::HubEvent>| SourceEvent {
            sequence_number: event.sequence,
            offset: event.offset.to_string(),
            enqueued_time_us: event.enqueued_us,
            body: event.body.clone(),
            system_properties: text(&event.system_properties),
            properties: text(&event.properties),
        };
        Ok(events.iter().map(event).collect())
    }

    async fn wait(&self, partition: u32, from_sequence: i64) {
        // A failure shows at the next read, which can say so.
        let _ = self.0.wait(partition, from_sequence).await;
    }
}
