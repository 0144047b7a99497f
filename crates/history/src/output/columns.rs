//! Fields of a file and how their values are written.

use std::collections::HashMap;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::DoubleType;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::{ColumnPath, Type, TypePtr};
use twinwright_core::frame::NO_STATE;

use super::{Group, Layout};
use crate::column_chunk::{Bounds, Column, Dictionary, DoubleDictionary, NONE, Pages, Slot, encode};

/// Distinct counts of a row group that are looked for one by one.
const FEW: usize = 32;

#[derive(Clone, Copy, Debug)]
pub(super) enum Field {
    Text,
    Time,
    Int32,
    Int64,
    Double,
}

pub(super) fn field(name: &str, field: Field, optional: bool) -> Result<TypePtr, ParquetError> {
    let (physical, logical) = match field {
        Field::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Field::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        Field::Int32 => (Physical::INT32, None),
        Field::Int64 => (Physical::INT64, None),
        Field::Double => (Physical::DOUBLE, None),
    };
    let repetition = if optional { Repetition::OPTIONAL } else { Repetition::REQUIRED };
    let field =
        Type::primitive_type_builder(name, physical).with_repetition(repetition).with_logical_type(logical);
    field.build().map(Arc::new)
}

pub(super) fn properties(layout: &Layout) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_encoding(Encoding::PLAIN)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_data_page_row_count_limit(layout.page)
        .set_write_batch_size(layout.page)
        .set_data_page_size_limit(usize::MAX)
        .set_created_by("twinwright".to_owned());
    let path = |name: &str| ColumnPath::new(vec![name.to_owned()]);
    for name in layout.noise {
        builder = builder
            .set_column_compression(path(name), Compression::UNCOMPRESSED)
            .set_column_statistics_enabled(path(name), EnabledStatistics::None);
    }
    builder.build()
}

pub(super) fn write_integers(group: &mut Group<'_>, slot: &Slot, values: &[i64]) -> Result<(), ParquetError> {
    let pages = Pages::of_integers(slot, values);
    let chunk =
        encode(Column { slot, pages: &pages, dictionary: None, bounds: Bounds::integers(slot, values) })?;
    group.append_column(&chunk.bytes, chunk.close)
}

/// Says how many rows have a value.
pub(super) fn write_doubles(
    group: &mut Group<'_>,
    slot: &Slot,
    values: &[f64],
    doubles: &mut DoubleDictionary,
    plain: &mut u8,
    optional: bool,
) -> Result<usize, ParquetError> {
    if *plain == 0 && doubles.encode(slot, values) {
        let chunk = encode(Column {
            slot,
            pages: &doubles.pages,
            dictionary: Some(Dictionary {
                bytes: doubles.values.iter().flat_map(|value| value.to_le_bytes()).collect(),
                distinct: doubles.values.len(),
            }),
            bounds: Bounds::Doubles(&doubles.bounds),
        })?;
        group.append_column(&chunk.bytes, chunk.close)?;
        return Ok(values.len() - doubles.pages.absent());
    }
    *plain = if *plain == 0 { 8 } else { *plain - 1 };
    let mut column = group.next_column()?.ok_or_else(too_many)?;
    let writer = column.typed::<DoubleType>();
    let mut written = values.len();
    if !optional {
        writer.write_batch(values, None, None)?;
    } else if values.iter().any(|value| value.is_nan()) {
        let levels: Vec<i16> = values.iter().map(|value| i16::from(!value.is_nan())).collect();
        let present: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        writer.write_batch(&present, Some(&levels), None)?;
        written = present.len();
    } else {
        writer.write_batch(values, Some(&vec![1; values.len()]), None)?;
    }
    column.close()?;
    Ok(written)
}

/// Codes of a large dictionary as codes of the texts that the row group has; no reader prunes by them.
pub(super) fn write_texts<'a>(
    group: &mut Group<'_>,
    slot: &Slot,
    codes: &[u32],
    texts: impl Fn(u32) -> &'a str,
    known: u32,
) -> Result<(), ParquetError> {
    let mut local = vec![NONE; known as usize];
    let mut used = Vec::new();
    let mut mapped = Vec::with_capacity(codes.len());
    for &code in codes {
        if code == NO_STATE {
            mapped.push(NONE);
            continue;
        }
        let slot = &mut local[code as usize];
        if *slot == NONE {
            *slot = u32::try_from(used.len()).unwrap_or(0);
            used.push(texts(code));
        }
        mapped.push(*slot);
    }
    write_dictionary(group, slot, &mapped, &used, false)
}

fn write_dictionary(
    group: &mut Group<'_>,
    slot: &Slot,
    codes: &[u32],
    used: &[&str],
    pruned: bool,
) -> Result<(), ParquetError> {
    let mut dictionary = Vec::with_capacity(used.iter().map(|text| text.len() + 4).sum());
    for text in used {
        dictionary.extend_from_slice(&u32::try_from(text.len()).unwrap_or(0).to_le_bytes());
        dictionary.extend_from_slice(text.as_bytes());
    }
    let chunk = encode(Column {
        slot,
        pages: &Pages::of(slot, codes, used.len()),
        dictionary: Some(Dictionary { bytes: dictionary, distinct: used.len() }),
        bounds: if pruned { Bounds::texts(slot, codes, used) } else { Bounds::None },
    })?;
    group.append_column(&chunk.bytes, chunk.close)
}

/// Texts of runs of rows with one code each, by which readers prune.
pub(super) fn write_runs<'a>(
    group: &mut Group<'_>,
    slot: &Slot,
    runs: &[(u32, usize)],
    texts: impl Fn(u32) -> &'a str,
) -> Result<(), ParquetError> {
    let (mut local, mut used) = (HashMap::new(), Vec::new());
    let mut codes = Vec::with_capacity(runs.iter().map(|(_, rows)| rows).sum());
    for &(code, rows) in runs {
        let local = *local.entry(code).or_insert_with(|| {
            used.push(texts(code));
            u32::try_from(used.len() - 1).unwrap_or(0)
        });
        codes.resize(codes.len() + rows, local);
    }
    write_dictionary(group, slot, &codes, &used, true)
}

/// Numbers of which nearly all are the same; others are written as differences.
pub(super) fn write_counts(group: &mut Group<'_>, slot: &Slot, counts: &[i64]) -> Result<(), ParquetError> {
    let mut used: Vec<i64> = Vec::new();
    let mut codes = Vec::with_capacity(counts.len());
    for run in counts.chunk_by(|a, b| a == b) {
        let known = used.iter().position(|known| *known == run[0]).unwrap_or_else(|| {
            used.push(run[0]);
            used.len() - 1
        });
        if known >= FEW {
            return write_integers(group, slot, counts);
        }
        codes.resize(codes.len() + run.len(), u32::try_from(known).unwrap_or(0));
    }
    let chunk = encode(Column {
        slot,
        pages: &Pages::of(slot, &codes, used.len()),
        dictionary: Some(Dictionary {
            bytes: used.iter().flat_map(|value| value.to_le_bytes()).collect(),
            distinct: used.len(),
        }),
        bounds: Bounds::None,
    })?;
    group.append_column(&chunk.bytes, chunk.close)
}

pub(super) fn write_small(
    group: &mut Group<'_>,
    slot: &Slot,
    codes: &[u32],
    values: &[i32],
) -> Result<(), ParquetError> {
    let chunk = encode(Column {
        slot,
        pages: &Pages::of(slot, codes, values.len()),
        dictionary: Some(Dictionary {
            bytes: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            distinct: values.len(),
        }),
        bounds: Bounds::small(slot, codes, values),
    })?;
    group.append_column(&chunk.bytes, chunk.close)
}

pub(super) fn too_many() -> ParquetError {
    ParquetError::General("the file has fewer columns than are written".to_owned())
}
