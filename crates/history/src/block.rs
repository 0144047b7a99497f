//! Rows of a file as columns, wherever they were decoded.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch, StringArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, SchemaRef};

use crate::segment::DEVICE_ID;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Block<'a> {
    pub(crate) rows: usize,
    /// Names and values, each of as many rows.
    pub(crate) columns: Vec<(&'a str, Cells<'a>)>,
}

/// The values of a column.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cells<'a> {
    /// Rows without a value are null or NaN.
    Doubles(&'a [f64], Option<&'a NullBuffer>),
    /// Times or numbers, a value in each row.
    Integers(&'a [i64]),
    /// Small numbers, a value in each row.
    Small(&'a [i32]),
    /// Texts by their code; rows without one are null or have a negative code.
    Codes(Codes<'a>),
    /// No row has a value.
    Absent,
    /// What no column of ours has.
    Foreign,
}

/// Texts by their code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Codes<'a> {
    pub(crate) keys: &'a [i32],
    pub(crate) nulls: Option<&'a NullBuffer>,
    pub(crate) texts: Texts<'a>,
}

/// What codes mean.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Texts<'a> {
    Arrow(&'a StringArray),
    Plain(&'a [&'a str]),
}

impl Texts<'_> {
    /// Calls `visit` with each text, in the order of codes.
    pub(crate) fn each(&self, mut visit: impl FnMut(&str)) {
        match self {
            Self::Arrow(texts) => texts.iter().for_each(|text| visit(text.unwrap_or_default())),
            Self::Plain(texts) => texts.iter().for_each(|text| visit(text)),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Arrow(texts) => texts.len(),
            Self::Plain(texts) => texts.len(),
        }
    }
}

impl Codes<'_> {
    /// The code of a row, if it has one that means something.
    pub(crate) fn at(&self, row: usize) -> Option<usize> {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return None;
        }
        usize::try_from(self.keys[row]).ok().filter(|&code| code < self.texts.len())
    }
}

impl<'a> Block<'a> {
    /// What Arrow decoded.
    pub(crate) fn of(batch: &'a RecordBatch, schema: &'a SchemaRef) -> Self {
        let names = schema.fields().iter().map(|field| field.name().as_str());
        let cells = batch.columns().iter().map(|array| cells(array));
        Self { rows: batch.num_rows(), columns: names.zip(cells).collect() }
    }

    /// The rows by device, those of one device in their order; `None` where they stand so. Rows that come by time would
    /// have to be picked one by one out of a whole day when it is sorted; here they are near.
    pub(crate) fn by_device(&self) -> Option<Vec<u32>> {
        let (_, cells) = self.columns.iter().find(|(name, _)| *name == DEVICE_ID)?;
        let Cells::Codes(codes) = cells else { return None };
        if codes.nulls.is_some() || codes.keys.is_sorted() {
            return None;
        }
        let key = |key: i32| usize::try_from(key).unwrap_or(usize::MAX);
        let mut next = vec![0_u32; codes.texts.len() + 1];
        for &code in codes.keys {
            *next.get_mut(key(code).checked_add(1)?)? += 1;
        }
        for at in 1..next.len() {
            next[at] += next[at - 1];
        }
        let mut order = vec![0_u32; codes.keys.len()];
        for (row, &code) in (0_u32..).zip(codes.keys) {
            let place = &mut next[key(code)];
            order[*place as usize] = row;
            *place += 1;
        }
        Some(order)
    }
}

fn cells(array: &Arc<dyn Array>) -> Cells<'_> {
    let whole = array.null_count() == 0;
    if array.null_count() == array.len() && !array.is_empty() {
        return Cells::Absent;
    }
    let nulls = array.nulls().filter(|_| !whole);
    match array.data_type() {
        DataType::Float64 => Cells::Doubles(array.as_primitive::<Float64Type>().values(), nulls),
        DataType::Int64 if whole => Cells::Integers(array.as_primitive::<Int64Type>().values()),
        DataType::Timestamp(..) if whole => array
            .as_primitive_opt::<TimestampMicrosecondType>()
            .map_or(Cells::Foreign, |times| Cells::Integers(times.values())),
        DataType::Int32 if whole => Cells::Small(array.as_primitive::<Int32Type>().values()),
        DataType::Dictionary(..) => {
            let Some(coded) = array.as_dictionary_opt::<Int32Type>() else { return Cells::Foreign };
            let Some(texts) = coded.values().as_string_opt::<i32>() else { return Cells::Foreign };
            let keys = coded.keys();
            Cells::Codes(Codes {
                keys: keys.values(),
                nulls: keys.nulls().filter(|_| !whole),
                texts: Texts::Arrow(texts),
            })
        }
        _ => Cells::Foreign,
    }
}
