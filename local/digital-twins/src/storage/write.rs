//! A batch of changes as one durable transaction.

use std::sync::PoisonError;

use redb::{Table, WriteTransaction};

use super::Storage;
use super::log::{self, Key};
use super::tables::{EVENT_KEY, JOBS, LOG, META, MODELS, OUTBOX, RELATIONSHIPS, ROUTES, TWINS};
use crate::store::Change;

/// Events to keep for delivery: queue, number, bytes.
pub(crate) type Outgoing = (String, u64, Vec<u8>);

/// Changes of the graph above which a batch goes straight to the tables: an import writes whole pages anyway.
const MANY: usize = 256;

impl Storage {
    /// Writes changes and events; when this returns `Ok`, they survive a kill and a loss of power. `newest` gives the bytes
    /// of a twin or relationship as the graph has it now, without these changes.
    pub(crate) fn commit(
        &self,
        changes: &[Change],
        outgoing: &[Outgoing],
        newest: impl Fn(&Key) -> Option<Vec<u8>>,
    ) -> Result<(), redb::Error> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let many = changes.len() > MANY;
        let (mut record, mut keys) = (Vec::new(), Vec::new());
        let transaction = self.database.begin_write()?;
        let stepped = {
            let mut tables = Tables { transaction: &transaction, twins: None, relationships: None };
            for change in changes {
                match log::parts(change) {
                    Some((key, value)) if !many || log.holds(&key) => {
                        log::encode(&mut record, &key, value);
                        keys.push(key);
                    }
                    Some((key, value)) => tables.put(&key, value)?,
                    None => tables.write(change)?,
                }
            }
            let step = log.step();
            if let Some(step) = &step {
                for key in step.keys.iter().rev() {
                    tables.put(key, newest(key).as_deref())?;
                }
            }
            let done = step.as_ref().and_then(|step| step.done);
            if !record.is_empty() || done.is_some() {
                let mut table = transaction.open_table(LOG)?;
                if let Some(done) = done {
                    table.retain_in(..=done, |_, _| false)?;
                }
                if !record.is_empty() {
                    table.insert(log.next(), record.as_slice())?;
                }
            }
            if let Some((_, last, _)) = outgoing.last() {
                transaction.open_table(META)?.insert(EVENT_KEY, *last)?;
                let mut outbox = transaction.open_table(OUTBOX)?;
                for (queue, number, bytes) in outgoing {
                    outbox.insert((queue.as_str(), *number), bytes.as_slice())?;
                }
            }
            step.is_some()
        };
        transaction.commit()?;
        log.committed(record.len(), keys, stepped);
        Ok(())
    }
}

/// The tables of a transaction; the two that most changes touch are opened once.
struct Tables<'t> {
    transaction: &'t WriteTransaction,
    twins: Option<Table<'t, &'static str, &'static [u8]>>,
    relationships: Option<Table<'t, (&'static str, &'static str), &'static [u8]>>,
}

impl<'t> Tables<'t> {
    fn twins(&mut self) -> Result<&mut Table<'t, &'static str, &'static [u8]>, redb::Error> {
        let table = match self.twins.take() {
            Some(table) => table,
            None => self.transaction.open_table(TWINS)?,
        };
        Ok(self.twins.insert(table))
    }

    fn relationships(
        &mut self,
    ) -> Result<&mut Table<'t, (&'static str, &'static str), &'static [u8]>, redb::Error> {
        let table = match self.relationships.take() {
            Some(table) => table,
            None => self.transaction.open_table(RELATIONSHIPS)?,
        };
        Ok(self.relationships.insert(table))
    }

    /// Writes a twin or a relationship, or removes it.
    fn put(&mut self, key: &Key, value: Option<&[u8]>) -> Result<(), redb::Error> {
        match (key, value) {
            (Key::Twin(id), Some(value)) => {
                self.twins()?.insert(id.as_str(), value)?;
            }
            (Key::Twin(id), None) => {
                self.twins()?.remove(id.as_str())?;
            }
            (Key::Relationship(source, id), Some(value)) => {
                self.relationships()?.insert((source.as_str(), id.as_str()), value)?;
            }
            (Key::Relationship(source, id), None) => {
                self.relationships()?.remove((source.as_str(), id.as_str()))?;
            }
        }
        Ok(())
    }

    /// Writes what is neither a twin nor a relationship.
    fn write(&mut self, change: &Change) -> Result<(), redb::Error> {
        match change {
            Change::Twin { .. }
            | Change::DeleteTwin(_)
            | Change::Relationship { .. }
            | Change::DeleteRelationship(_) => {}
            Change::Models { entries, .. } => {
                let mut models = self.transaction.open_table(MODELS)?;
                for entry in entries {
                    models.insert(entry.sequence, entry.line().to_string().as_bytes())?;
                }
            }
            Change::Decommission(entry) => {
                let mut models = self.transaction.open_table(MODELS)?;
                models.insert(entry.sequence, entry.line().to_string().as_bytes())?;
            }
            Change::DeleteModels { gone, .. } => {
                let mut models = self.transaction.open_table(MODELS)?;
                for (_, sequence) in gone {
                    models.remove(*sequence)?;
                }
            }
            Change::Route { id, bytes, .. } => {
                self.transaction.open_table(ROUTES)?.insert(id.as_str(), bytes.as_slice())?;
            }
            Change::DeleteRoute(id) => {
                self.transaction.open_table(ROUTES)?.remove(id.as_str())?;
            }
            Change::Job(job) => {
                let bytes = serde_json::to_vec(&**job).unwrap_or_default();
                let mut jobs = self.transaction.open_table(JOBS)?;
                jobs.insert((job.kind.as_str(), job.id.as_str()), bytes.as_slice())?;
            }
            Change::DeleteJob { kind, id } => {
                self.transaction.open_table(JOBS)?.remove((kind.as_str(), id.as_str()))?;
            }
            Change::Delivered { queue, through } => {
                let mut outbox = self.transaction.open_table(OUTBOX)?;
                outbox.retain_in((queue.as_str(), 0)..=(queue.as_str(), *through), |_, _| false)?;
            }
        }
        Ok(())
    }
}
