//! Chunks of any shape are read back by the Parquet crate.

use super::*;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{SchemaDescriptor, Type};
use proptest::prelude::*;
use std::sync::Arc;

fn schema(optional: bool) -> Arc<Type> {
    let repetition = if optional { "optional" } else { "required" };
    Arc::new(parse_message_type(&format!("message m {{ {repetition} double x; }}")).unwrap())
}

fn slot(optional: bool) -> Slot {
    Slot { descriptor: SchemaDescriptor::new(schema(optional)).column(0), page: 8_192 }
}

fn round_trip(values: &[f64], optional: bool) -> Vec<f64> {
    let schema = schema(optional);
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    let slot = slot(optional);
    let mut dictionary = DoubleDictionary::new();
    assert!(dictionary.encode(&slot, values));
    let chunk = encode(Column {
        slot: &slot,
        pages: &dictionary.pages,
        dictionary: Some(Dictionary {
            bytes: dictionary.values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            distinct: dictionary.values.len(),
        }),
        bounds: Bounds::Doubles(&dictionary.bounds),
    })
    .unwrap();
    let mut group = writer.next_row_group().unwrap();
    group.append_column(&chunk.bytes, chunk.close).unwrap();
    group.close().unwrap();
    let bytes = Bytes::from(writer.into_inner().unwrap());
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().with_batch_size(1000).build().unwrap();
    let mut out = Vec::new();
    for batch in reader {
        let batch = batch.unwrap();
        out.extend(
            batch.column(0).as_primitive::<Float64Type>().iter().map(|value| value.unwrap_or(f64::NAN)),
        );
    }
    out
}

fn same(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()))
}

proptest! {
    #[test]
    fn values_are_read_back(
        runs in prop::collection::vec((0_u16..40, 1_usize..60, any::<bool>()), 1..60), scale in 1_u32..400
    ) {
        let values: Vec<f64> = runs.iter().flat_map(|&(value, length, run)| {
            (0..length).map(move |at| {
                let step = if run { 0 } else { at as u32 % scale };
                if value == 0 { f64::NAN } else { f64::from(value) + f64::from(step) / 100.0 }
            })
        }).collect();
        // Over half distinct: no dictionary, so no chunk of ours.
        prop_assume!(DoubleDictionary::new().encode(&slot(true), &values));
        prop_assert!(same(&values, &round_trip(&values, true)));
        let whole: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        if !whole.is_empty() && DoubleDictionary::new().encode(&slot(false), &whole) {
            prop_assert!(same(&whole, &round_trip(&whole, false)));
        }
    }
}

proptest! {
    #[test]
    fn decimals_and_other_doubles_keep_every_bit(
        digits in prop::collection::vec(-300_i32..300, 3..80), places in 0_u32..6, odd in any::<f64>(), every in 0_usize..9
    ) {
        let scale = 10_f64.powi(places as i32);
        let values = digits.iter().enumerate().map(|(at, &digits)| match (at + 1) % (every + 1) {
            0 if every > 0 => odd,
            _ if digits == 7 => f64::NAN,
            _ => f64::from(digits) / scale,
        });
        let values: Vec<f64> = values.collect();
        prop_assert!(same(&values, &round_trip(&values, true)));
    }
}

#[test]
fn numbers_at_the_edges_keep_every_bit() {
    for edge in [
        f64::from(i32::MIN),
        f64::from(i32::MAX),
        f64::from(i32::MIN) / 100.0,
        4_294_967_296.0,
        1e18,
        -1e18,
        1e300,
        f64::MIN_POSITIVE,
        -0.0,
        0.1 + 0.2,
        f64::INFINITY,
        f64::NEG_INFINITY,
        2_147_483_648.5,
    ] {
        for others in [[0.0, 1.0], [0.25, f64::NAN], [edge, -1.5]] {
            let mut values = vec![others[0]; 40];
            values.extend([edge, others[1], edge]);
            assert!(same(&values, &round_trip(&values, true)), "{edge} with {others:?}");
        }
    }
}

#[test]
fn pages_runs_and_emptiness_are_read_back() {
    let many: Vec<f64> = (0..30_000).map(|row| f64::from(row * 7_919 % 5_000) / 100.0).collect();
    assert!(same(&many, &round_trip(&many, true)));
    assert!(same(&many, &round_trip(&many, false)));
    let constant = vec![1.5; 20_000];
    assert!(same(&constant, &round_trip(&constant, true)));
    let absent = vec![f64::NAN; 9_000];
    assert!(same(&absent, &round_trip(&absent, true)));
    let zeroes = [0.0, -0.0, 0.0];
    assert!(same(&zeroes, &round_trip(&zeroes, true)));
}

#[test]
fn distinct_values_are_told_early() {
    let mut dictionary = DoubleDictionary::new();
    let values: Vec<f64> = (0..100_000).map(|row| f64::from(row).sqrt()).collect();
    assert!(!dictionary.encode(&slot(true), &values));
    assert!(dictionary.pages.rows() < 60_000);
}

fn integers_back(values: &[i64]) -> Vec<i64> {
    let schema = Arc::new(parse_message_type("message m { required int64 x; }").unwrap());
    let slot = Slot { descriptor: SchemaDescriptor::new(Arc::clone(&schema)).column(0), page: 700 };
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    let pages = Pages::of_integers(&slot, values);
    let bounds = Bounds::integers(&slot, values);
    let chunk = encode(Column { slot: &slot, pages: &pages, dictionary: None, bounds }).unwrap();
    let mut group = writer.next_row_group().unwrap();
    group.append_column(&chunk.bytes, chunk.close).unwrap();
    group.close().unwrap();
    let bytes = Bytes::from(writer.into_inner().unwrap());
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    let statistics = builder.metadata().row_group(0).column(0).statistics().cloned();
    let Some(Statistics::Int64(ends)) = statistics else { panic!("{statistics:?}") };
    assert_eq!((ends.min_opt(), ends.max_opt()), (values.iter().min(), values.iter().max()));
    let batches = builder.build().unwrap().map(Result::unwrap);
    batches.flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
}

proptest! {
    #[test]
    fn integers_are_read_back(
        steps in prop::collection::vec((any::<i64>(), 0_u32..64, 1_usize..300), 1..12), start in any::<i64>()
    ) {
        let (mut values, mut last) = (Vec::new(), start);
        for (step, narrow, times) in steps {
            for at in 0..times {
                last = last.wrapping_add((step >> narrow).wrapping_mul(1 + (at % 3) as i64));
                values.push(last);
            }
        }
        prop_assert!(integers_back(&values) == values);
    }
}

#[test]
fn integers_at_the_edges_are_read_back() {
    let steady: Vec<i64> = (0..3_000).map(|at| 1_767_225_600_000_000 + at * 60_000_000).collect();
    for values in [vec![7], vec![i64::MIN, i64::MAX, 0, -1, i64::MIN], vec![3; 700], steady] {
        assert_eq!(integers_back(&values), values);
    }
}
