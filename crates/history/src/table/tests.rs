//! Order, and what a table holds back.

use super::*;

#[test]
fn rows_are_ordered_by_device_name_and_time() {
    let mut names = Names::default();
    let (b, a) = (names.devices.number("b"), names.devices.number("a"));
    let source = names.source(Source { partition: 1, epoch: 0 });
    let mut table = Table {
        device: vec![b, a, b, a, a],
        time: vec![5, 9, 4, 9, 1],
        enqueued: vec![0; 5],
        sequence: vec![1, 3, 2, 2, 9],
        source: vec![source; 5],
        columns: Vec::new(),
    };
    table.column(TEXTS).doubles(3);
    table.pad();
    let order = table.order(&names);
    assert_eq!(order, [4, 3, 1, 2, 0]);
    let sorted = table.gather(&order);
    assert_eq!(sorted.sequence, [9, 2, 3, 2, 1]);
    assert!(matches!(&sorted.columns[TEXTS], Values::Doubles(values) if values.len() == 5));
}
