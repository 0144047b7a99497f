//! The work of an import, on a thread that may block.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::Client;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::blob;
use super::format::{Line, Lines, Section};
use super::output::{MOST_ERRORS, Output};
use super::place::Place;
use super::{Job, JobStatus};
use crate::answer::Refusal;
use crate::store::Store;
use crate::twin::Document;

/// Twins or relationships that become durable together.
const CHUNK: usize = 1000;
/// Models of one import ("Azure Digital Twins service limits"), and their text together.
const MOST_MODELS: usize = 10_000;
const MOST_MODEL_BYTES: usize = 64 * 1024 * 1024;

/// How an import ended.
pub(crate) type Outcome = (JobStatus, Option<Value>);

/// Runs an import to its end, and says how it ended.
pub(crate) fn run(
    store: &Arc<Store>,
    job: &Job,
    (input, output): (Place, Place),
    client: &Client,
    runtime: &Handle,
    cancel: &Arc<AtomicBool>,
) -> Outcome {
    let failed = |message: String| {
        tracing::warn!(job = job.id, message, "an import failed");
        (JobStatus::Failed, Some(json!({"code": "ImportFailed", "message": message})))
    };
    let output = match Output::open(&job.id, output) {
        Ok(output) => output,
        Err(message) => return failed(message),
    };
    let mut import = Import {
        store,
        runtime,
        cancel,
        output,
        errors: 0,
        section: None,
        section_errors: 0,
        chunk: Chunk::default(),
    };
    let told = import.output.info(&json!({"status": "Started"}));
    let outcome = told
        .and_then(|()| blob::open(&input, client, runtime))
        .and_then(|reader| import.read(Lines::new(reader)));
    let (status, error) = match outcome {
        Ok(()) if cancel.load(Ordering::Relaxed) => (JobStatus::Cancelled, None),
        Ok(()) if import.errors == 0 => (JobStatus::Succeeded, None),
        Ok(()) => failed(format!(
            "{} entries were refused and the others were imported: see the output for each of them",
            import.errors
        )),
        Err(message) => {
            // The log must tell it as well, where it can still be written.
            let _ = import.output.error(&json!({"message": message}));
            failed(message)
        }
    };
    let word = match status {
        JobStatus::Succeeded => "Succeeded",
        JobStatus::Cancelled => "Cancelled",
        _ => "Failed",
    };
    let _ = import.output.info(&json!({"status": word}));
    match import.output.finish(client, runtime) {
        Ok(()) => (status, error),
        Err(message) => failed(message),
    }
}

struct Import<'a> {
    store: &'a Arc<Store>,
    runtime: &'a Handle,
    cancel: &'a AtomicBool,
    output: Output,
    errors: u64,
    section: Option<Section>,
    section_errors: u64,
    chunk: Chunk,
}

/// Entries that wait to be written together.
#[derive(Default)]
struct Chunk {
    models: Vec<Value>,
    model_bytes: usize,
    twins: Vec<(String, Document)>,
    relationships: Vec<(String, String, Document)>,
    keys: HashSet<(String, String)>,
}

impl Import<'_> {
    fn read<R: std::io::BufRead>(&mut self, mut lines: Lines<R>) -> Result<(), String> {
        while let Some(line) = lines.next()? {
            if self.cancel.load(Ordering::Relaxed) {
                return Ok(());
            }
            match line {
                Line::Section(section) => {
                    self.end_section()?;
                    self.section = Some(section);
                    if section != Section::Header {
                        self.output.info(&json!({"section": section.name(), "status": "Started"}))?;
                    }
                }
                Line::Broken(_, message) => {
                    self.refused(lines.number(), "", &Refusal::bad("InvalidArgument", message))?
                }
                Line::Entry(section, value) => self.entry(section, value, lines.number())?,
            }
        }
        self.end_section()
    }

    fn entry(&mut self, section: Section, value: Value, number: u64) -> Result<(), String> {
        let Value::Object(document) = value else { return Ok(()) };
        let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
        match section {
            Section::Header => Ok(()),
            Section::Models => {
                self.chunk.model_bytes += serde_json::to_vec(&document).map_or(0, |bytes| bytes.len());
                self.chunk.models.push(Value::Object(document));
                if self.chunk.models.len() > MOST_MODELS || self.chunk.model_bytes > MOST_MODEL_BYTES {
                    return Err(format!(
                        "an import takes {MOST_MODELS} models and {MOST_MODEL_BYTES} bytes of them"
                    ));
                }
                Ok(())
            }
            Section::Twins => {
                let Some(id) = text("$dtId") else {
                    let refusal = Refusal::bad("InvalidArgument", "the twin has no $dtId: add it");
                    return self.refused(number, "", &refusal);
                };
                self.make_room((id.clone(), String::new()))?;
                self.chunk.twins.push((id, document));
                Ok(())
            }
            Section::Relationships => {
                // The published sample names the source twin `$dtId`.
                let (source, id) = (text("$dtId").or_else(|| text("$sourceId")), text("$relationshipId"));
                let (Some(source), Some(id)) = (source, id) else {
                    let message =
                        "the relationship has no $dtId (its source twin) or no $relationshipId: add them";
                    return self.refused(number, "", &Refusal::bad("InvalidArgument", message));
                };
                let mut document = document;
                document.remove("$dtId");
                self.make_room((source.clone(), id.clone()))?;
                self.chunk.relationships.push((source, id, document));
                Ok(())
            }
        }
    }

    /// Writes the chunk when it is full, or has the key already: the later line goes before the earlier one.
    fn make_room(&mut self, key: (String, String)) -> Result<(), String> {
        if self.chunk.keys.len() >= CHUNK || self.chunk.keys.contains(&key) {
            self.flush()?;
        }
        self.chunk.keys.insert(key);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), String> {
        let chunk = std::mem::take(&mut self.chunk);
        let mut refused = Vec::new();
        if !chunk.models.is_empty() {
            let store = Arc::clone(self.store);
            if let Err(refusal) =
                self.runtime.block_on(async move { store.import_models(chunk.models).await })
            {
                // Nothing below can fit without its models.
                self.refused(0, "", &refusal)?;
                return Err(format!("no model was created: {}", refusal.message));
            }
        }
        if !chunk.twins.is_empty() {
            let outcome = self.runtime.block_on(self.store.import_twins(chunk.twins));
            refused.extend(outcome.map_err(|refusal| refusal.message)?);
        }
        if !chunk.relationships.is_empty() {
            let outcome = self.runtime.block_on(self.store.import_relationships(chunk.relationships));
            refused.extend(outcome.map_err(|refusal| refusal.message)?);
        }
        for (id, refusal) in refused {
            self.refused(0, &id, &refusal)?;
        }
        Ok(())
    }

    fn end_section(&mut self) -> Result<(), String> {
        self.flush()?;
        let Some(section) = self.section.take() else { return Ok(()) };
        if section != Section::Header {
            let status = if self.section_errors == 0 { "Succeeded" } else { "Failed" };
            self.output.info(&json!({"section": section.name(), "status": status}))?;
        }
        self.section_errors = 0;
        Ok(())
    }

    fn refused(&mut self, line: u64, id: &str, refusal: &Refusal) -> Result<(), String> {
        self.errors += 1;
        self.section_errors += 1;
        if self.errors > MOST_ERRORS {
            return Err(format!(
                "more than {MOST_ERRORS} entries were refused: correct the input and start again"
            ));
        }
        let mut error =
            json!({"code": refusal.code.unwrap_or("InvalidArgument"), "message": refusal.message});
        if !refusal.details.is_empty() {
            error["details"] = refusal
                .details
                .iter()
                .map(|(code, message)| json!({"code": code, "message": message}))
                .collect();
        }
        let mut details = json!({"section": self.section.map_or("", Section::name), "error": error});
        if line > 0 {
            details["line"] = line.into();
        }
        if !id.is_empty() {
            details["id"] = id.into();
        }
        self.output.error(&details)
    }
}
