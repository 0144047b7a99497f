use super::*;
use crate::block::Block;
use crate::input::Layouts;
use crate::manifest::Source;
use crate::parquet_file::{Footer, Parts};
use crate::registry::Registry;
use crate::rows::Dictionary;
use crate::scan::Scan;
use crate::table::{Names, Table, Values};
use crate::testing::frame;
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::HashSet;
use std::sync::Arc;
use twinwright_core::frame::{ABSENT, Frame, NO_STATE, SequenceRange, SignalColumn, SparseText, StateColumn};

/// The frame with its dictionaries in order of first use and without unused texts, as a file gives it back.
fn normal(mut frame: Frame) -> Frame {
    fn renumber(codes: &mut [u32], texts: &mut Vec<Arc<str>>) {
        let mut dictionary = Dictionary::default();
        for code in codes.iter_mut().filter(|code| **code != NO_STATE) {
            *code = dictionary.number(&texts[*code as usize]);
        }
        *texts = dictionary.into_texts();
    }
    renumber(&mut frame.device, &mut frame.devices);
    for column in &mut frame.states {
        renumber(&mut column.codes, &mut column.dictionary);
    }
    frame
}

/// Whether no row of a column has a value.
fn is_absent(column: &[u64]) -> bool {
    column.iter().all(|&bits| bits == ABSENT.to_bits() || bits == u64::from(NO_STATE))
}

/// Bit by bit, so that -0.0 and absent values count.
fn assert_same(a: &Frame, b: &Frame) {
    let bits = |frame: &Frame| {
        let signals = frame.signals.iter().map(|column| {
            let bits: Vec<u64> = column.values.iter().map(|value| value.to_bits()).collect();
            (Arc::clone(&column.name), bits, column.flags.clone())
        });
        let states = frame
            .states
            .iter()
            .map(|column| (Arc::clone(&column.name), column.dictionary.clone(), column.codes.clone()));
        let rest = format!(
            "{:?}",
            (
                (
                    frame.partition,
                    frame.range,
                    (frame.first_enqueued, frame.last_enqueued),
                    &frame.devices,
                    &frame.device
                ),
                (
                    &frame.time,
                    &frame.enqueued,
                    &frame.sequence,
                    &frame.properties,
                    &frame.extra,
                    &frame.row_flags
                ),
            )
        );
        (signals.collect::<Vec<_>>(), states.collect::<Vec<_>>(), rest)
    };
    assert_eq!(bits(a), bits(b));
}

fn round_trip(frame: Frame) -> Bytes {
    let version = Version { scorer: "a@1".into(), scorer_hash: "00".into(), baseline: "b".into() };
    let metadata = SegmentMetadata { versions: [("arm \"1\"".to_owned(), version)].into(), epoch: 3 };
    let bytes = encode("plant", &frame, &metadata).unwrap();
    assert_eq!(bytes, encode("plant", &frame, &metadata).unwrap(), "the same input gives the same bytes");
    let (decoded, read) = decode(bytes.clone()).unwrap();
    assert_eq!(read, metadata);
    assert_same(&decoded, &normal(frame));
    bytes
}

fn column_names(bytes: Bytes) -> Vec<String> {
    let builder = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    builder.schema().fields().iter().map(|field| field.name().clone()).collect()
}

fn signal(name: &str, rows: usize) -> SignalColumn {
    SignalColumn { name: name.into(), values: vec![1.5; rows], flags: Vec::new() }
}

#[test]
fn a_frame_without_rows_keeps_its_range() {
    round_trip(Frame::empty(7, SequenceRange { first: 5, last: 9 }, 1));
    let mut columns_only = Frame::empty(7, SequenceRange { first: 5, last: 9 }, 1);
    columns_only.signals.push(signal("speed", 0));
    round_trip(columns_only);
}

#[test]
fn hostile_and_colliding_names_have_columns_of_their_own() {
    let mut frame = frame(0, 0, 3);
    let long = "x".repeat(10_000);
    let odd =
        ["", "ts", "Speed", "a/b", "say \"hi\"", "tab\there", "ñandú.温度", "_", "quality_signal", "quality"];
    frame.signals.extend(odd.iter().map(|name| signal(name, 4)));
    frame.signals.push(signal(&long, 4));
    frame.states.push(StateColumn { name: "speed".into(), dictionary: vec!["on".into()], codes: vec![0; 4] });
    frame.row_flags = vec![1, 0, 255, 0];
    frame.signals[2].flags = vec![0, 2, 0, 255];
    let names = column_names(round_trip(frame));
    assert_eq!(&names[..5], ["device_id", "ts", "enqueued", "partition", "seq"]);
    assert_eq!(
        &names[5..16],
        [
            "speed",
            "_",
            "ts_signal",
            "Speed_signal",
            "a/b",
            "say \"hi\"",
            "tab_here",
            "ñandú.温度",
            "__signal",
            "quality_signal",
            "quality_signal_2"
        ]
    );
    assert!(names[16].len() == 117 && names[16].starts_with("xxx"), "{}", names[16]);
    assert_eq!(&names[17..], ["speed_state", "quality"]);
}

#[test]
fn torn_foreign_and_damaged_files_are_errors() {
    let whole = encode("plant", &frame(0, 0, 50), &SegmentMetadata::default()).unwrap();
    for length in 0..whole.len() {
        assert!(
            matches!(decode(whole.slice(..length)), Err(crate::StoreError::Corrupt { .. })),
            "{length} bytes"
        );
    }
    let foreign = b"PAR1 is how it begins, PAR1";
    assert!(decode(Bytes::from_static(foreign)).is_err());
}

#[test]
fn frames_that_cannot_be_stored_are_refused() {
    let mut wrong = frame(0, 0, 3);
    wrong.states.push(StateColumn { name: "s".into(), dictionary: vec![], codes: vec![7; 4] });
    assert!(matches!(
        encode("p", &wrong, &SegmentMetadata::default()),
        Err(crate::StoreError::Invalid { .. })
    ));
    let wrong = frame(u32::MAX, 0, 3);
    assert!(encode("p", &wrong, &SegmentMetadata::default()).is_err());
}

/// Any frame that a decoder could build.
fn frames() -> impl Strategy<Value = Frame> {
    (0_usize..40, 0_usize..4, 0_usize..3, any::<bool>()).prop_flat_map(|(rows, signals, states, checked)| {
        let flags = move || prop::collection::vec(0_u8..16, if checked { rows } else { 0 });
        let value = prop_oneof![3 => any::<f64>().prop_map(|v| if v.is_nan() { ABSENT } else { v }), 1 => Just(ABSENT)];
        let signal = (".{0,9}", prop::collection::vec(value, rows), flags())
            .prop_map(|(name, values, flags)| SignalColumn { name: name.into(), values, flags });
        let state = (".{0,9}", prop::collection::vec(prop_oneof![0_u32..3, Just(NO_STATE)], rows)).prop_map(
            |(name, codes)| StateColumn { name: name.into(), dictionary: vec!["on".into(), "off".into(), "".into()], codes },
        );
        let sparse = move || {
            prop::collection::btree_map(0..u32::try_from(rows.max(1)).unwrap(), ".{0,9}", 0..4).prop_map(move |texts| {
                let fitting = texts.into_iter().filter(|(row, _)| (*row as usize) < rows);
                SparseText(fitting.map(|(row, text)| (row, text.into())).collect())
            })
        };
        let numbers = || prop::collection::vec(any::<i64>(), rows);
        (
            (prop::collection::vec(0_u32..3, rows), numbers(), numbers(), numbers(), flags()),
            (prop::collection::vec(signal, signals), prop::collection::vec(state, states), sparse(), sparse()),
            (0..i32::MAX.cast_unsigned(), any::<(i64, i64, i64)>()),
        )
            .prop_map(|((device, time, enqueued, sequence, row_flags), (mut signals, mut states, properties, extra), head)| {
                let (mut named, mut told) = (HashSet::new(), HashSet::new());
                signals.retain(|column: &SignalColumn| named.insert(Arc::clone(&column.name)));
                states.retain(|column: &StateColumn| told.insert(Arc::clone(&column.name)));
                let (partition, (first, last, first_enqueued)) = head;
                let devices = vec!["a".into(), "b".into(), "ü \"c\"".into()];
                let range = SequenceRange { first, last };
                Frame {
                    partition, range, first_enqueued, last_enqueued: last, devices, device, time, enqueued, sequence, signals, states,
                    properties, extra, row_flags,
                }
            })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn frames_are_read_back(frame in frames()) {
        round_trip(frame);
    }

    #[test]
    fn segments_read_by_pages_are_as_arrow_reads_them(frame in frames(), permuted in any::<bool>()) {
        let bytes = encode("plant", &frame, &SegmentMetadata::default()).unwrap();
        let parts = Arc::new(Parts::whole(bytes));
        let footer = Footer::read(&parts).unwrap();
        let (mut registry, mut layouts, mut scan) = (Registry::default(), Layouts::default(), Scan::default());
        let layout = layouts.of(&footer, &mut registry).unwrap();
        let source = Some(Source { partition: frame.partition, epoch: 0 });
        let mut tables = [(Table::default(), Names::default()), (Table::default(), Names::default())];
        let mut append = |block: &Block<'_>, to: usize| {
            let order = permuted.then(|| block.by_device()).flatten();
            let (table, names) = &mut tables[to];
            layout.append(block, order.as_deref(), source, table, names).unwrap();
        };
        for group in 0..footer.parquet().num_row_groups() {
            prop_assert!(scan.read(&footer, &parts, group, &[PARTITION]), "it is what scan is for");
            scan.block(|block| append(block, 0)).unwrap();
            for batch in footer.batches(Parts::clone(&parts), vec![group], None, None).unwrap() {
                let batch = batch.unwrap();
                append(&Block::of(&batch, &batch.schema()), 1);
            }
        }
        let [ours, arrows] = tables.map(|(mut table, names)| {
            table.pad();
            let columns = table.columns.iter().map(|values| match values {
                Values::Doubles(values) => values.iter().map(|value| value.to_bits()).collect::<Vec<_>>(),
                Values::Codes(codes) => codes.iter().map(|&code| u64::from(code)).collect(),
                Values::Absent => Vec::new(),
            });
            // A column without a value may be there or not.
            let columns: Vec<_> = columns.enumerate().filter(|(_, column)| !is_absent(column)).collect();
            let texts = names.texts.iter().map(|texts| texts.texts().to_vec()).filter(|texts| !texts.is_empty());
            let rows = (table.device, table.time, table.enqueued, table.sequence, table.source);
            (rows, columns, names.devices.texts().to_vec(), texts.collect::<Vec<_>>())
        });
        prop_assert_eq!(ours, arrows);
    }

    #[test]
    fn damaged_bytes_never_take_the_reader_down(at in 0.0_f64..1.0, byte: u8) {
        let mut bytes = encode("plant", &frame(0, 0, 50), &SegmentMetadata::default()).unwrap().to_vec();
        let at = (at * f64::from(u32::try_from(bytes.len()).unwrap())) as usize;
        bytes[at] = byte;
        let _any = decode(bytes.into());
    }
}
