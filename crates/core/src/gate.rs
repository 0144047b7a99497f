//! Continuity: what an arriving range of sequence numbers means for a partition. Facts in, a decision out.

use crate::frame::SequenceRange;
use crate::time::Micros;

/// How far a partition has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// Last sequence number that changed the state.
    pub sequence: i64,
    /// Enqueued time of that event.
    pub enqueued: Micros,
    /// Grows by one each time the hub was re-created and its numbers began anew.
    pub epoch: u32,
}

/// What to do with an arriving batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It begins where the last one ended, or is the first ever.
    Next,
    /// Every event was seen before: change nothing, send unconfirmed outputs again.
    Replay,
    /// Its beginning was seen before: only events from this sequence number on are new.
    Overlap {
        /// First new sequence number.
        from: i64,
    },
    /// Another instance worked in between, or the hub lost events: load these from the segments first;
    /// what no segment holds is a gap.
    Ahead {
        /// The missing numbers.
        missing: SequenceRange,
    },
    /// The hub was re-created: numbers began anew, with later enqueued times.
    NewEpoch,
}

/// Decides what a batch is, from where the partition stands and the batch's range and first enqueued time.
///
/// A replayed event was enqueued no later than the last event seen; an old number with a later enqueued time can
/// only come from a re-created hub.
pub fn arrival(position: Option<&Position>, range: SequenceRange, first_enqueued: Micros) -> Arrival {
    let Some(position) = position else { return Arrival::Next };
    if range.first == position.sequence + 1 {
        Arrival::Next
    } else if range.first > position.sequence {
        Arrival::Ahead { missing: SequenceRange { first: position.sequence + 1, last: range.first - 1 } }
    } else if first_enqueued > position.enqueued {
        Arrival::NewEpoch
    } else if range.last <= position.sequence {
        Arrival::Replay
    } else {
        Arrival::Overlap { from: position.sequence + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arrival_is_told_apart() {
        let at = Position { sequence: 100, enqueued: 1_000, epoch: 0 };
        let range = |first, last| SequenceRange { first, last };
        for (batch, enqueued, expected) in [
            (range(101, 120), 1_001, Arrival::Next),
            (range(90, 100), 900, Arrival::Replay),
            (range(90, 110), 900, Arrival::Overlap { from: 101 }),
            (range(105, 110), 1_100, Arrival::Ahead { missing: range(101, 104) }),
            (range(0, 10), 2_000, Arrival::NewEpoch),
            (range(100, 101), 1_000, Arrival::Overlap { from: 101 }),
        ] {
            assert_eq!(arrival(Some(&at), batch, enqueued), expected, "{batch:?}");
        }
        assert_eq!(arrival(None, range(50, 60), 5), Arrival::Next);
    }
}
