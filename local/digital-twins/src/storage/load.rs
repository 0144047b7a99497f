//! From the database to the graph, once, at the start.

use std::sync::{Arc, PoisonError};

use redb::{ReadableDatabase, ReadableTable};
use serde_json::Value;

use super::Storage;
use super::log::{Key, Log, Unreadable};
use super::tables::{EVENT_KEY, JOBS, META, MODELS, RELATIONSHIPS, ROUTES, TWINS};
use crate::config::TwinsError;
use crate::jobs::Job;
use crate::routing::EventRoute;
use crate::store::{Change, Graph, ModelEntry};
use crate::twin::Document;

/// What a folder holds.
pub(crate) struct Loaded {
    pub(crate) graph: Graph,
    /// The highest number that an event ever had.
    pub(crate) last_event: u64,
}

impl Storage {
    /// Reads everything but the waiting events.
    pub(crate) fn load(&self) -> Result<Loaded, TwinsError> {
        let transaction = self.database.begin_read().map_err(|error| self.fault(error))?;
        let record = |kind, key: &str, reason: String| TwinsError::Record {
            file: self.file.clone(),
            kind,
            key: key.to_owned(),
            reason,
        };
        let (log, newest) = Log::read(&transaction).map_err(|error| match error {
            Unreadable::Database(error) => self.fault(error),
            Unreadable::Record(number) => {
                record("log record", &number.to_string(), "it is not what was written".to_owned())
            }
        })?;
        *self.log.lock().unwrap_or_else(PoisonError::into_inner) = log;
        let mut graph = Graph::default();
        let fault = |error: redb::Error| self.fault(error);

        let mut entries = Vec::new();
        each(&transaction, MODELS, |sequence, bytes| {
            let line: Value = serde_json::from_slice(bytes)
                .map_err(|error| record("model", &sequence.to_string(), error.to_string()))?;
            let entry = ModelEntry::read(sequence, line)
                .map_err(|reason| record("model", &sequence.to_string(), reason))?;
            entries.push(Arc::new(entry));
            Ok(())
        })
        .map_err(|error| error.into_twins(fault))?;
        if !entries.is_empty() {
            let documents: Vec<Value> = entries.iter().map(|entry| entry.document.clone()).collect();
            let models = graph
                .models
                .with(&documents)
                .map_err(|errors| record("models", "all of them", crate::store::first_fault(&errors)))?;
            graph.apply(Change::Models { entries, models });
        }

        let read = |kind, key: &Key, bytes: &[u8]| -> Result<Arc<Document>, TwinsError> {
            let document = serde_json::from_slice(bytes);
            document.map(Arc::new).map_err(|error| record(kind, &format!("{key:?}"), error.to_string()))
        };
        each(&transaction, TWINS, |id: &str, bytes| {
            let key = Key::Twin(id.to_owned());
            if !newest.contains_key(&key) {
                graph.insert_twin(id.to_owned(), read("twin", &key, bytes)?);
            }
            Ok(())
        })
        .map_err(|error| error.into_twins(fault))?;
        each(&transaction, RELATIONSHIPS, |(source, id): (&str, &str), bytes| {
            let key = Key::Relationship(source.to_owned(), id.to_owned());
            if !newest.contains_key(&key) {
                let document = read("relationship", &key, bytes)?;
                graph.insert_relationship((source.to_owned(), id.to_owned()), document);
            }
            Ok(())
        })
        .map_err(|error| error.into_twins(fault))?;
        for (key, bytes) in newest {
            let Some(bytes) = bytes else { continue };
            let document = read("log record", &key, &bytes)?;
            match key {
                Key::Twin(id) => graph.insert_twin(id, document),
                Key::Relationship(source, id) => graph.insert_relationship((source, id), document),
            };
        }

        each(&transaction, ROUTES, |id: &str, bytes| {
            let route: EventRoute = serde_json::from_slice(bytes)
                .map_err(|error| record("event route", id, error.to_string()))?;
            let compiled = route.compile().map_err(|reason| record("event route", id, reason))?;
            graph.routes.insert(id.to_owned(), Arc::new(compiled));
            Ok(())
        })
        .map_err(|error| error.into_twins(fault))?;

        each(&transaction, JOBS, |(_, id): (&str, &str), bytes| {
            let job: Job =
                serde_json::from_slice(bytes).map_err(|error| record("job", id, error.to_string()))?;
            graph.jobs.insert((job.kind, job.id.clone()), Arc::new(job));
            Ok(())
        })
        .map_err(|error| error.into_twins(fault))?;

        let noted = |transaction: &redb::ReadTransaction| -> Result<u64, redb::Error> {
            Ok(transaction.open_table(META)?.get(EVENT_KEY)?.map_or(0, |value| value.value()))
        };
        let last_event = noted(&transaction).map_err(fault)?;
        Ok(Loaded { graph, last_event })
    }
}

/// Why a table could not be read: the database, or what a record holds.
enum Failure {
    Database(redb::Error),
    Record(TwinsError),
}

impl Failure {
    fn into_twins(self, wrap: impl FnOnce(redb::Error) -> TwinsError) -> TwinsError {
        match self {
            Self::Database(error) => wrap(error),
            Self::Record(error) => error,
        }
    }
}

fn each<K>(
    transaction: &redb::ReadTransaction,
    definition: redb::TableDefinition<K, &'static [u8]>,
    mut visit: impl FnMut(K::SelfType<'_>, &[u8]) -> Result<(), TwinsError>,
) -> Result<(), Failure>
where
    K: redb::Key + 'static,
{
    let database = |error: redb::Error| Failure::Database(error);
    let table = transaction.open_table(definition).map_err(|error| database(error.into()))?;
    for entry in table.iter().map_err(|error| database(error.into()))? {
        let (key, value) = entry.map_err(|error| database(error.into()))?;
        visit(key.value(), value.value()).map_err(Failure::Record)?;
    }
    Ok(())
}
