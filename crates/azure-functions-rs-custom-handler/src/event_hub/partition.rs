//! `Metadata.TriggerPartitionContext` and its older names.

use crate::envelope::{Shadows, value_text};
use crate::error::{DecodeError, Fault};
use crate::scan::Cursor;

/// Names under which builds of the host's extension write the partition, newest first.
const NAMES: [&str; 3] = ["TriggerPartitionContext", "PartitionContext", "CheckpointContext"];

/// Where a batch comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) partition_id: String,
    pub(crate) fully_qualified_namespace: String,
    pub(crate) event_hub_name: String,
    pub(crate) consumer_group: String,
}

/// The partition under each of its names.
#[derive(Debug, Default)]
pub(crate) struct Partitions {
    found: [Option<Partition>; NAMES.len()],
}

impl Partitions {
    /// Reads the value if `name` is one of the partition's.
    pub(crate) fn offer(&mut self, name: &str, cursor: &mut Cursor<'_>) -> Result<bool, DecodeError> {
        let Some(slot) = NAMES.iter().position(|known| *known == name) else { return Ok(false) };
        let field = format!("Metadata.{name}");
        // Hosts before 2021 wrote this object as a string.
        let text = value_text(cursor, &field)?;
        if text != "null" {
            let mut inner = Cursor::new(text.as_bytes());
            self.found[slot] = read(&mut inner).map_err(|fault| fault.in_field(&field))?;
        }
        Ok(true)
    }

    /// The newest form that the message cannot have overwritten.
    pub(crate) fn choose(self, shadows: &Shadows) -> Result<Partition, DecodeError> {
        let mut shadowed = false;
        for (name, found) in NAMES.iter().zip(self.found) {
            let Some(partition) = found else { continue };
            if !shadows.covers(name) {
                return Ok(partition);
            }
            shadowed = true;
        }
        let field = "Metadata.TriggerPartitionContext".to_owned();
        Err(if shadowed { DecodeError::Shadowed { field } } else { DecodeError::Missing { field } })
    }
}

/// The members that are known; an object without a partition id counts as absent.
fn read(cursor: &mut Cursor<'_>) -> Result<Option<Partition>, Fault> {
    let mut partition = Partition::default();
    cursor.expect(b'{', "`{`")?;
    let mut first = true;
    while let Some(key) = cursor.next_member(&mut first)? {
        let target = match cursor.bytes(key) {
            b"PartitionId" => &mut partition.partition_id,
            b"FullyQualifiedNamespace" => &mut partition.fully_qualified_namespace,
            // The second is the name of extensions before 5.0.
            b"EventHubName" | b"EventHubPath" => &mut partition.event_hub_name,
            b"ConsumerGroup" | b"ConsumerGroupName" => &mut partition.consumer_group,
            _ => {
                cursor.skip_value()?;
                continue;
            }
        };
        if let Some(token) = cursor.string_or_null()? {
            let mut text = Vec::new();
            cursor.unescape_token(token, &mut text)?;
            *target = String::from_utf8_lossy(&text).into_owned();
        }
    }
    cursor.finish()?;
    Ok(if partition.partition_id.is_empty() { None } else { Some(partition) })
}
