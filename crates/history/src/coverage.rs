//! Which sequence numbers were seen: ranges that grow together. Segments of a replay overlap those of the first run, in
//! any order, and a row counts once.

use std::collections::BTreeMap;

use twinwright_core::frame::SequenceRange;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Coverage {
    /// First to last, apart from each other by at least one number.
    ranges: BTreeMap<i64, i64>,
}

impl Coverage {
    /// Whether every number of a range was seen.
    #[cfg(test)]
    pub(crate) fn covers(&self, range: SequenceRange) -> bool {
        self.ranges.range(..=range.first).next_back().is_some_and(|(_, &last)| last >= range.last)
    }

    /// Whether any number of a range was seen.
    pub(crate) fn touches(&self, range: SequenceRange) -> bool {
        self.ranges.range(..=range.last).next_back().is_some_and(|(_, &last)| last >= range.first)
    }

    /// The ranges, ascending.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = SequenceRange> + '_ {
        self.ranges.iter().map(|(&first, &last)| SequenceRange { first, last })
    }

    /// What lies between the ranges.
    pub(crate) fn holes(&self) -> Vec<SequenceRange> {
        let next = self.ranges().skip(1);
        self.ranges().zip(next).map(|(a, b)| SequenceRange { first: a.last + 1, last: b.first - 1 }).collect()
    }

    /// Adds all ranges of another one.
    pub(crate) fn extend(&mut self, other: &Self) {
        other.ranges().for_each(|range| self.insert(range));
    }

    pub(crate) fn contains(&self, sequence: i64) -> bool {
        self.ranges.range(..=sequence).next_back().is_some_and(|(_, &last)| last >= sequence)
    }

    /// Adds a range; one whose ends are swapped is nothing.
    pub(crate) fn insert(&mut self, range: SequenceRange) {
        let SequenceRange { mut first, mut last } = range;
        if last < first {
            return;
        }
        while let Some((&start, &end)) = self.ranges.range(..=last.saturating_add(1)).next_back() {
            if end.saturating_add(1) < first {
                break;
            }
            first = first.min(start);
            last = last.max(end);
            self.ranges.remove(&start);
        }
        self.ranges.insert(first, last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_set(ranges in prop::collection::vec((0_i64..60, -1_i64..9), 0..20)) {
            let mut coverage = Coverage::default();
            for &(first, length) in &ranges {
                coverage.insert(SequenceRange { first, last: first + length });
            }
            for number in -2..75 {
                let expected = ranges.iter().any(|&(first, length)| (first..=first + length).contains(&number));
                prop_assert_eq!(coverage.contains(number), expected);
                let pair = SequenceRange { first: number, last: number + 1 };
                prop_assert_eq!(coverage.covers(pair), coverage.contains(number) && coverage.contains(number + 1));
                prop_assert_eq!(coverage.touches(pair), coverage.contains(number) || coverage.contains(number + 1));
            }
            let apart = coverage.ranges.iter().zip(coverage.ranges.iter().skip(1)).all(|(a, b)| a.1 + 1 < *b.0);
            prop_assert!(apart);
        }
    }

    #[test]
    fn the_ends_of_all_numbers_are_safe() {
        let mut coverage = Coverage::default();
        coverage.insert(SequenceRange { first: i64::MIN, last: 0 });
        coverage.insert(SequenceRange { first: 5, last: i64::MAX });
        assert!(coverage.contains(i64::MIN) && coverage.contains(i64::MAX) && !coverage.contains(3));
    }
}
