//! The log of recent changes to twins and relationships.
//!
//! A batch of small changes all over the graph would rewrite a page of the tables for each of them. So a batch is written
//! as one record of a log, which costs a few pages that lie together, and the tables are brought up to date later, in the
//! order of their keys: by then many changes meet in one page, or on one twin. A start reads the tables and then the
//! log over them.
//!
//! What the log holds wins over the tables, so a key that is in the log is only ever written there, until the records that
//! hold it are settled and gone.

use std::collections::{HashMap, HashSet};

use redb::ReadableTable;

use super::tables::LOG;
use crate::store::Change;

/// Bytes of records after which they are settled.
const LONGEST: u64 = 64 * 1024 * 1024;
/// Keys that are settled beside one batch.
const STEP: usize = 512;

/// A twin, or a relationship by its source and identifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Key {
    Twin(String),
    Relationship(String, String),
}

/// What the log holds.
#[derive(Debug, Default)]
pub(super) struct Log {
    next: u64,
    bytes: u64,
    /// Keys of the records that are not being settled.
    recent: HashSet<Key>,
    settling: Option<Settling>,
}

/// Records on their way into the tables.
#[derive(Debug)]
struct Settling {
    /// The last of the records.
    through: u64,
    keys: HashSet<Key>,
    /// The keys that are still to be written, the first of them last.
    left: Vec<Key>,
}

/// A part of the settling, decided but not yet durable.
pub(super) struct Step<'l> {
    pub(super) keys: &'l [Key],
    /// Records up to this one can go, once the keys are written.
    pub(super) done: Option<u64>,
}

/// The newest records by key; `None` for what was deleted.
pub(super) type Newest = HashMap<Key, Option<Vec<u8>>>;

impl Log {
    /// Whether a key must be written to the log, lest an older record of it win.
    pub(super) fn holds(&self, key: &Key) -> bool {
        self.recent.contains(key)
            || self.settling.as_ref().is_some_and(|settling| settling.keys.contains(key))
    }

    /// Number for the next record.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// What to settle beside the next batch.
    pub(super) fn step(&self) -> Option<Step<'_>> {
        let settling = self.settling.as_ref()?;
        let from = settling.left.len().saturating_sub(STEP);
        let done = (from == 0).then_some(settling.through);
        Some(Step { keys: &settling.left[from..], done })
    }

    /// Notes that a record and a step became durable.
    pub(super) fn committed(&mut self, record: usize, keys: Vec<Key>, stepped: bool) {
        if record > 0 {
            self.next += 1;
            self.bytes += record as u64;
            self.recent.extend(keys);
        }
        if let Some(settling) = self.settling.as_mut().filter(|_| stepped) {
            let left = settling.left.len().saturating_sub(STEP);
            settling.left.truncate(left);
            if left == 0 {
                self.settling = None;
            }
        }
        if self.settling.is_none() && self.bytes > LONGEST {
            let keys = std::mem::take(&mut self.recent);
            let mut left: Vec<Key> = keys.iter().cloned().collect();
            left.sort_unstable_by(|one, other| other.cmp(one));
            self.settling = Some(Settling { through: self.next - 1, keys, left });
            self.bytes = 0;
        }
    }

    /// Reads the log of a database.
    pub(super) fn read(transaction: &redb::ReadTransaction) -> Result<(Self, Newest), Unreadable> {
        let (mut log, mut newest) = (Self { next: 1, ..Self::default() }, Newest::new());
        let table = transaction.open_table(LOG).map_err(redb::Error::from)?;
        for entry in table.iter().map_err(redb::Error::from)? {
            let (number, record) = entry.map_err(redb::Error::from)?;
            log.next = number.value() + 1;
            log.bytes += record.value().len() as u64;
            decode(record.value(), |key, value| {
                newest.insert(key, value.map(<[u8]>::to_vec));
            })
            .ok_or(Unreadable::Record(number.value()))?;
        }
        log.recent = newest.keys().cloned().collect();
        Ok((log, newest))
    }
}

/// Why a log could not be read.
pub(super) enum Unreadable {
    Database(redb::Error),
    Record(u64),
}

impl From<redb::Error> for Unreadable {
    fn from(error: redb::Error) -> Self {
        Self::Database(error)
    }
}

/// The key and the new bytes of a change of the graph; nothing for other changes.
pub(super) fn parts(change: &Change) -> Option<(Key, Option<&[u8]>)> {
    Some(match change {
        Change::Twin { id, bytes, .. } => (Key::Twin(id.clone()), Some(bytes)),
        Change::DeleteTwin(id) => (Key::Twin(id.clone()), None),
        Change::Relationship { key, bytes, .. } => {
            (Key::Relationship(key.0.clone(), key.1.clone()), Some(bytes))
        }
        Change::DeleteRelationship(key) => (Key::Relationship(key.0.clone(), key.1.clone()), None),
        _ => return None,
    })
}

const DELETED: u32 = u32::MAX;

/// Appends a change to a record: kind, then each text and the bytes after their length.
pub(super) fn encode(record: &mut Vec<u8>, key: &Key, value: Option<&[u8]>) {
    let mut text = |text: &str| {
        record.extend_from_slice(&u32::try_from(text.len()).unwrap_or(0).to_le_bytes());
        record.extend_from_slice(text.as_bytes());
    };
    match key {
        Key::Twin(id) => {
            text(id);
            text("");
        }
        Key::Relationship(source, id) => {
            text(source);
            text(id);
        }
    }
    let length = value.map_or(DELETED, |value| u32::try_from(value.len()).unwrap_or(0));
    record.extend_from_slice(&length.to_le_bytes());
    record.extend_from_slice(value.unwrap_or_default());
}

/// Takes a record apart; `None` when it is not one.
fn decode(mut record: &[u8], mut found: impl FnMut(Key, Option<&[u8]>)) -> Option<()> {
    while !record.is_empty() {
        let mut take = |length: usize| {
            let (taken, rest) = record.split_at_checked(length)?;
            record = rest;
            Some(taken)
        };
        let mut length = || Some(u32::from_le_bytes(take(4)?.try_into().ok()?));
        let first_length = usize::try_from(length()?).ok()?;
        let first = std::str::from_utf8(take(first_length)?).ok()?.to_owned();
        let second_length = usize::try_from(u32::from_le_bytes(take(4)?.try_into().ok()?)).ok()?;
        let second = std::str::from_utf8(take(second_length)?).ok()?.to_owned();
        let value_length = u32::from_le_bytes(take(4)?.try_into().ok()?);
        let value = match value_length {
            DELETED => None,
            length => Some(take(usize::try_from(length).ok()?)?),
        };
        // No identifier is empty, so an empty second text means a twin.
        let key = if second.is_empty() { Key::Twin(first) } else { Key::Relationship(first, second) };
        found(key, value);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn twin(id: usize) -> Key {
        Key::Twin(format!("{id:05}"))
    }

    #[test]
    fn records_are_settled_in_steps_and_then_gone() {
        let mut log = Log { next: 1, ..Log::default() };
        log.committed(usize::try_from(LONGEST).unwrap() + 1, (0..STEP + 1).map(twin).collect(), false);
        assert!(log.holds(&twin(0)) && log.recent.is_empty());
        log.committed(10, vec![twin(3)], false);
        let step = log.step().unwrap();
        assert_eq!((step.keys.len(), step.done, step.keys.last()), (STEP, None, Some(&twin(0))));
        log.committed(0, Vec::new(), true);
        // Its records are still there, so the key has to be written to the log.
        assert!(log.holds(&twin(0)));
        let step = log.step().unwrap();
        assert_eq!((step.keys, step.done), (&[twin(STEP)][..], Some(1)));
        log.committed(0, Vec::new(), true);
        assert!(!log.holds(&twin(0)) && log.holds(&twin(3)) && log.step().is_none());
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(entries in proptest::collection::vec(("[a-zä]{1,9}", "[a-z/]{0,9}", any::<Option<Vec<u8>>>()), 0..9)) {
            let entries: Vec<(Key, Option<Vec<u8>>)> = entries
                .into_iter()
                .map(|(first, second, value)| {
                    (if second.is_empty() { Key::Twin(first) } else { Key::Relationship(first, second) }, value)
                })
                .collect();
            let mut record = Vec::new();
            entries.iter().for_each(|(key, value)| encode(&mut record, key, value.as_deref()));
            let mut found = Vec::new();
            decode(&record, |key, value| found.push((key, value.map(<[u8]>::to_vec)))).unwrap();
            prop_assert_eq!(found, entries);
        }

        #[test]
        fn nothing_makes_decoding_panic(bytes in any::<Vec<u8>>()) {
            let _ = decode(&bytes, |_, _| {});
        }
    }
}
