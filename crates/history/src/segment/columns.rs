//! Which column holds what: computed once a set of signals and states, then shared.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::{ColumnPath, SchemaDescriptor};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use twinwright_core::frame::Frame;

use crate::StoreError;

pub(crate) const DEVICE_ID: &str = "device_id";
pub(crate) const TIME: &str = "ts";
pub(crate) const ENQUEUED: &str = "enqueued";
pub(crate) const PARTITION: &str = "partition";
pub(crate) const SEQUENCE: &str = "seq";
pub(crate) const QUALITY: &str = "quality";
pub(crate) const PROPERTIES: &str = "properties";
pub(crate) const EXTRA: &str = "extra";
pub(crate) const FIXED: [&str; 8] =
    [DEVICE_ID, TIME, ENQUEUED, PARTITION, SEQUENCE, QUALITY, PROPERTIES, EXTRA];

/// Longer names are cut.
const LONGEST_NAME: usize = 128;
const CUT_NAME: usize = 100;
/// Sets of columns that are remembered; a plant has one a device model and mixture of models.
const REMEMBERED: usize = 64;

/// What a column of the devices' own holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Numbers.
    Signal,
    /// Text.
    State,
}

/// One column of the devices' own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Column {
    pub(crate) column: String,
    pub(crate) name: Arc<str>,
    pub(crate) kind: Kind,
    /// Whether the signal's values were checked; a state's never are.
    pub(crate) checked: bool,
}

/// The `twinwright.columns` document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Columns {
    /// Whether the rows were checked.
    pub(crate) checked: bool,
    /// Signals in the frame's order, then states in the frame's order.
    pub(crate) columns: Vec<Column>,
}

impl Columns {
    /// What a day file says of its columns.
    pub(crate) fn described(columns: &[&crate::registry::ColumnName]) -> Self {
        let columns = columns.iter().map(|column| Column {
            column: column.column.clone(),
            name: Arc::clone(&column.name),
            kind: column.kind,
            checked: false,
        });
        Self { checked: false, columns: columns.collect() }
    }
}

/// Everything of a file that does not depend on its rows.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) columns: Columns,
    pub(super) columns_json: String,
    pub(super) has_quality: bool,
    pub(super) has_properties: bool,
    pub(super) has_extra: bool,
    pub(super) schema: SchemaRef,
    pub(super) parquet_schema: SchemaDescriptor,
    pub(super) properties: WriterProperties,
}

static LAYOUTS: LazyLock<Mutex<HashMap<Vec<u8>, Arc<Layout>>>> = LazyLock::new(Mutex::default);

impl Layout {
    /// The layout of a frame's columns.
    pub(super) fn of(frame: &Frame) -> Result<Arc<Self>, StoreError> {
        let key = key(frame);
        let remembered = LAYOUTS.lock().unwrap_or_else(PoisonError::into_inner).get(&key).map(Arc::clone);
        if let Some(layout) = remembered {
            return Ok(layout);
        }
        let layout = Arc::new(Self::new(frame)?);
        let mut layouts = LAYOUTS.lock().unwrap_or_else(PoisonError::into_inner);
        // Devices that invent names for ever must not fill the memory; the common sets are back after one batch.
        if layouts.len() >= REMEMBERED {
            layouts.clear();
        }
        layouts.insert(key, Arc::clone(&layout));
        Ok(layout)
    }

    fn new(frame: &Frame) -> Result<Self, StoreError> {
        let failed =
            |error: String| StoreError::invalid(format!("the frame's columns cannot be stored: {error}"));
        let columns = name_columns(frame);
        let has_quality = columns.checked || columns.columns.iter().any(|column| column.checked);
        let (has_properties, has_extra) = (!frame.properties.0.is_empty(), !frame.extra.0.is_empty());
        let text = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let mut fields = vec![
            Field::new(DEVICE_ID, text(), false),
            Field::new(TIME, time(), false),
            Field::new(ENQUEUED, time(), false),
            Field::new(PARTITION, DataType::Int32, false),
            Field::new(SEQUENCE, DataType::Int64, false),
        ];
        fields.extend(columns.columns.iter().map(|column| match column.kind {
            Kind::Signal => Field::new(&column.column, DataType::Float64, true),
            Kind::State => Field::new(&column.column, text(), true),
        }));
        for (present, name) in [(has_quality, QUALITY), (has_properties, PROPERTIES), (has_extra, EXTRA)] {
            if present {
                fields.push(Field::new(name, DataType::Utf8, true));
            }
        }
        let schema = Arc::new(Schema::new(fields));
        let parquet_schema = ArrowSchemaConverter::new()
            .schema_root("twinwright")
            .convert(&schema)
            .map_err(|error| failed(error.to_string()))?;
        let properties = properties(&schema);
        let columns_json = serde_json::to_string(&columns).map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            columns,
            columns_json,
            has_quality,
            has_properties,
            has_extra,
            schema,
            parquet_schema,
            properties,
        })
    }
}

/// Text is dictionary-encoded; numbers are not (a dictionary of measured values costs time and saves nothing).
/// Statistics only where readers prune by them. Only texts without a bound are compressed: a segment lives until its day
/// is compacted, which compresses everything, and zstd on each batch cost a tenth of the whole way of an event
/// (`cargo run --release --example segment_bench` measures it).
fn properties(schema: &Schema) -> WriterProperties {
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .set_encoding(Encoding::PLAIN)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_max_row_group_row_count(None)
        .set_data_page_row_count_limit(usize::MAX)
        .set_created_by("twinwright".to_owned());
    for field in schema.fields() {
        let path = || ColumnPath::new(vec![field.name().clone()]);
        match field.data_type() {
            DataType::Dictionary(..) | DataType::Utf8 | DataType::Int32 => {
                builder = builder.set_column_dictionary_enabled(path(), true);
                if matches!(field.name().as_str(), PROPERTIES | EXTRA) {
                    builder = builder.set_column_compression(path(), zstd);
                }
            }
            DataType::Int64 | DataType::Timestamp(..) => {
                builder = builder
                    .set_column_encoding(path(), Encoding::DELTA_BINARY_PACKED)
                    .set_column_statistics_enabled(path(), EnabledStatistics::Chunk);
            }
            _ => {}
        }
    }
    builder.build()
}

/// What a layout depends on, length-prefixed so that no two sets share a key.
fn key(frame: &Frame) -> Vec<u8> {
    let flags = [frame.row_flags.is_empty(), frame.properties.0.is_empty(), frame.extra.0.is_empty()];
    let mut key: Vec<u8> = flags.iter().map(|&flag| u8::from(flag)).collect();
    let mut add = |kind: u8, name: &str| {
        key.push(kind);
        key.extend_from_slice(&name.len().to_le_bytes());
        key.extend_from_slice(name.as_bytes());
    };
    for column in &frame.signals {
        add(u8::from(column.flags.is_empty()), &column.name);
    }
    for column in &frame.states {
        add(2, &column.name);
    }
    key
}

fn name_columns(frame: &Frame) -> Columns {
    // A frame without rows has no flags to be empty or not.
    let checked = |flags: &[u8]| !flags.is_empty();
    let mut taken: HashSet<String> = FIXED.iter().map(|&name| name.to_owned()).collect();
    let signals = frame.signals.iter().map(|column| (&column.name, Kind::Signal, checked(&column.flags)));
    let states = frame.states.iter().map(|column| (&column.name, Kind::State, false));
    let columns = signals.chain(states).map(|(name, kind, checked)| {
        let column = free_name(safe_name(name), kind, &mut taken);
        Column { column, name: Arc::clone(name), kind, checked }
    });
    let columns = columns.collect();
    Columns { checked: checked(&frame.row_flags), columns }
}

/// Steps 1 and 2 of the module's rules.
pub(crate) fn safe_name(name: &str) -> String {
    let clean: String = name.chars().map(|c| if c.is_control() { '_' } else { c }).collect();
    if clean.is_empty() {
        return "_".to_owned();
    }
    if clean.len() <= LONGEST_NAME {
        return clean;
    }
    let hash: String =
        Sha256::digest(name.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{}~{hash}", &clean[..clean.floor_char_boundary(CUT_NAME)])
}

/// Step 3.
pub(crate) fn free_name(name: String, kind: Kind, taken: &mut HashSet<String>) -> String {
    if taken.insert(name.to_lowercase()) {
        return name;
    }
    let suffixed = match kind {
        Kind::Signal => format!("{name}_signal"),
        Kind::State => format!("{name}_state"),
    };
    let mut candidate = suffixed.clone();
    let mut number = 2_u32;
    while !taken.insert(candidate.to_lowercase()) {
        candidate = format!("{suffixed}_{number}");
        number += 1;
    }
    candidate
}
