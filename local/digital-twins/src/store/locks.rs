//! Which writes may share a batch.
//!
//! A write is planned against the graph as it is, and all writes of a batch become visible together. Two writes that
//! look at the same thing, one of them to change it, therefore go into different batches, in the order they came.

use std::collections::HashMap;

/// Something that a write reads or changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Models,
    Routes,
    Jobs,
    Twin(String),
    Relationship(String, String),
}

/// A place and whether the write changes it.
pub(crate) type Lock = (Place, bool);

pub(crate) fn reads(place: Place) -> Lock {
    (place, false)
}

pub(crate) fn changes(place: Place) -> Lock {
    (place, true)
}

/// The places of one batch.
#[derive(Debug, Default)]
pub(super) struct Locks(HashMap<Place, bool>);

impl Locks {
    /// Takes the places of a write. False when it must wait for the next batch; its places are taken all the same, so that
    /// no later write overtakes it.
    pub(super) fn admit(&mut self, locks: &[Lock]) -> bool {
        let free = locks.iter().all(|(place, changes)| match self.0.get(place) {
            None => true,
            Some(taken_to_change) => !taken_to_change && !changes,
        });
        for (place, changes) in locks {
            match self.0.get_mut(place) {
                Some(taken_to_change) => *taken_to_change |= changes,
                None => {
                    self.0.insert(place.clone(), *changes);
                }
            }
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn twin(id: &str) -> Place {
        Place::Twin(id.to_owned())
    }

    #[test]
    fn readers_share_and_writers_wait_in_order() {
        let mut locks = Locks::default();
        assert!(locks.admit(&[reads(twin("a")), reads(Place::Models)]));
        assert!(locks.admit(&[reads(twin("a")), changes(twin("b"))]));
        assert!(!locks.admit(&[changes(twin("a"))]));
        // The writer of 'a' waits; a later reader must not overtake it.
        assert!(!locks.admit(&[reads(twin("a"))]));
        assert!(locks.admit(&[changes(twin("c"))]));
        assert!(!locks.admit(&[changes(Place::Models)]));
    }
}
