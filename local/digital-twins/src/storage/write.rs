//! A batch of changes as one durable transaction.

use redb::{Table, WriteTransaction};

use super::Storage;
use super::tables::{EVENT_KEY, JOBS, META, MODELS, OUTBOX, RELATIONSHIPS, ROUTES, TWINS};
use crate::store::Change;

/// Events to keep for delivery: queue, number, bytes.
pub(crate) type Outgoing = (String, u64, Vec<u8>);

impl Storage {
    /// Writes changes and events; when this returns `Ok`, they survive a kill and a loss of power.
    pub(crate) fn commit(&self, changes: &[Change], outgoing: &[Outgoing]) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        {
            let mut tables = Tables { transaction: &transaction, twins: None, relationships: None };
            for change in changes {
                tables.write(change)?;
            }
            if let Some((_, last, _)) = outgoing.last() {
                transaction.open_table(META)?.insert(EVENT_KEY, *last)?;
                let mut outbox = transaction.open_table(OUTBOX)?;
                for (queue, number, bytes) in outgoing {
                    outbox.insert((queue.as_str(), *number), bytes.as_slice())?;
                }
            }
        }
        transaction.commit()?;
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

    fn write(&mut self, change: &Change) -> Result<(), redb::Error> {
        match change {
            Change::Twin { id, bytes, .. } => {
                self.twins()?.insert(id.as_str(), bytes.as_slice())?;
            }
            Change::DeleteTwin(id) => {
                self.twins()?.remove(id.as_str())?;
            }
            Change::Relationship { key, bytes, .. } => {
                self.relationships()?.insert((key.0.as_str(), key.1.as_str()), bytes.as_slice())?;
            }
            Change::DeleteRelationship(key) => {
                self.relationships()?.remove((key.0.as_str(), key.1.as_str()))?;
            }
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
