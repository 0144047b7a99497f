//! The data history of the twins: the tables that Azure Digital Twins writes to Azure Data Explorer, as Parquet beside
//! the telemetry's history.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use twinwright_core::time::{Micros, parse_iso};
use twinwright_history::StoreError;
use twinwright_history::change_table::{Cell, ChangeColumn, ChangeRow, ChangeTable, Whose};
use twinwright_history::store::Store;
use twinwright_local_digital_twins::{HistoryBatch, HistoryRow, HistorySink, PropertyAction};

use ChangeColumn::{Text, Time};

/// Folder of the tables in the store.
pub const ROOT: &str = "twins";
/// Names of the tables, which Azure lets one choose; these are its defaults.
pub const TABLES: [&str; 3] =
    ["AdtPropertyEvents", "AdtTwinLifeCycleEvents", "AdtRelationshipLifeCycleEvents"];

/// Rows wait so long for others to share a file with.
const LINGER: Duration = Duration::from_secs(10);

const PROPERTY: &[ChangeColumn] = &[
    Time("TimeStamp"),
    Time("SourceTimeStamp"),
    Text("ServiceId"),
    Text("Id"),
    Text("ModelId"),
    Text("Key"),
    // Any JSON, as the tables of Azure Data Explorer have it in a column of type dynamic.
    Text("Value"),
    Text("RelationshipTarget"),
    Text("RelationshipId"),
    Text("Action"),
];
const TWIN: &[ChangeColumn] =
    &[Text("TwinId"), Text("Action"), Time("TimeStamp"), Text("ServiceId"), Text("ModelId")];
const RELATIONSHIP: &[ChangeColumn] = &[
    Text("RelationshipId"),
    Text("Name"),
    Text("Action"),
    Time("TimeStamp"),
    Text("ServiceId"),
    Text("Source"),
    Text("Target"),
];

/// Writes the tables.
#[derive(Debug)]
pub(super) struct TwinHistory(Mutex<[ChangeTable; 3]>);

impl TwinHistory {
    pub(super) fn new(store: &Store) -> Self {
        Self(Mutex::new(tables(store)))
    }
}

fn tables(store: &Store) -> [ChangeTable; 3] {
    let table = |at: usize, columns| ChangeTable::new(store.clone(), ROOT, TABLES[at], columns);
    [table(0, PROPERTY), table(1, TWIN), table(2, RELATIONSHIP)]
}

/// Erases what a twin went through before a time, and how it was related; says how many changes went.
///
/// # Errors
/// [`StoreError`]: call again.
pub async fn erase(store: &Store, twin: &str, before: Micros) -> Result<u64, StoreError> {
    const NAMED: [&[&str]; 3] = [&["Id", "RelationshipTarget"], &["TwinId"], &["Source", "Target"]];
    let mut erased = 0;
    for (table, columns) in tables(store).iter().zip(NAMED) {
        erased += table.erase(&Whose { columns, id: twin, time: "TimeStamp", before }).await?;
    }
    Ok(erased)
}

#[async_trait]
impl HistorySink for TwinHistory {
    async fn store(&self, batch: HistoryBatch) -> Result<(), String> {
        let mut rows: [Vec<ChangeRow>; 3] = Default::default();
        for (change, row) in batch.rows {
            let (table, time, cells) = cells(row);
            rows[table].push(ChangeRow { change, time, cells });
        }
        let mut tables = self.0.lock().await;
        for (table, rows) in tables.iter_mut().zip(&rows) {
            table.append(rows).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn linger(&self) -> Duration {
        LINGER
    }
}

/// Place of the row's table, its time, its values.
fn cells(row: HistoryRow) -> (usize, Micros, Vec<Cell>) {
    let text = |text: String| Cell::Text(Some(text));
    let time = |text: &str| parse_iso(text);
    match row {
        HistoryRow::Property(row) => {
            let action = match row.action {
                PropertyAction::Update => "Update",
                PropertyAction::Delete => "Delete",
            };
            let at = time(&row.time_stamp);
            let cells = vec![
                Cell::Time(at),
                Cell::Time(row.source_time_stamp.as_deref().and_then(time)),
                text(row.service_id),
                text(row.id),
                text(row.model_id),
                text(row.key),
                text(row.value.to_string()),
                Cell::Text(row.relationship_target),
                Cell::Text(row.relationship_id),
                text(action.to_owned()),
            ];
            (0, at.unwrap_or_default(), cells)
        }
        HistoryRow::Twin(row) => {
            let at = time(&row.time_stamp);
            let cells = vec![
                text(row.twin_id),
                text(row.action),
                Cell::Time(at),
                text(row.service_id),
                text(row.model_id),
            ];
            (1, at.unwrap_or_default(), cells)
        }
        HistoryRow::Relationship(row) => {
            let at = time(&row.time_stamp);
            let cells = vec![
                text(row.relationship_id),
                text(row.name),
                text(row.action),
                Cell::Time(at),
                text(row.service_id),
                text(row.source),
                text(row.target),
            ];
            (2, at.unwrap_or_default(), cells)
        }
    }
}
