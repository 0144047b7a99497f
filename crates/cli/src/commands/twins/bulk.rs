//! `twins import` and `twins export`: NDJSON with the sections Header, Models, Twins and Relationships, as the import
//! jobs of the service have it (page "Import models, twins, and relationships in bulk with the Azure Digital Twins
//! Import Jobs API").

use std::io::{BufRead as _, BufReader, BufWriter, IsTerminal as _, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use twinwright_azure::twins::{Relationship, TwinsClient};

use super::MOST;
use crate::output::Output;

/// Requests under way at once: below what an instance of the service takes a second.
const PARALLEL: usize = 32;
/// Twins and relationships kept in memory before they are sent.
const BATCH: usize = 4_096;
/// How often a job is asked for.
const POLL: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Start,
    Header,
    Models,
    Twins,
    Relationships,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    models: usize,
    twins: usize,
    relationships: usize,
}

impl Counts {
    fn json(self) -> Value {
        json!({ "models": self.models, "twins": self.twins, "relationships": self.relationships })
    }

    fn words(self) -> String {
        format!("{} models, {} twins, {} relationships", self.models, self.twins, self.relationships)
    }
}

/// Imports a file through the API, or lets the service read a blob.
pub(super) async fn import(
    client: &TwinsClient,
    source: &str,
    log: Option<&str>,
    output: Output,
) -> anyhow::Result<()> {
    if source.contains("://") {
        return job(client, source, log, output).await;
    }
    let file = std::fs::File::open(source).with_context(|| format!("cannot read {source}"))?;
    let (mut section, mut counts, mut waiting) = (Section::Start, Counts::default(), Vec::new());
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.with_context(|| format!("cannot read {source}"))?;
        if line.trim().is_empty() {
            continue;
        }
        let place = || format!("{source}, line {}", number + 1);
        let value: Value = serde_json::from_str(&line).with_context(place)?;
        if let Some(name) = value.get("Section").and_then(Value::as_str) {
            send(client, section, &mut waiting, &mut counts).await?;
            section = next_section(name).with_context(place)?;
            continue;
        }
        ensure!(section != Section::Start, "{}: a file begins with {{\"Section\": \"Header\"}}", place());
        if section != Section::Header {
            waiting.push((number + 1, value));
        }
        if waiting.len() >= BATCH && section != Section::Models {
            send(client, section, &mut waiting, &mut counts).await?;
            progress(counts);
        }
    }
    send(client, section, &mut waiting, &mut counts).await?;
    output.result(&counts.json(), || format!("imported {}", counts.words()));
    Ok(())
}

fn next_section(name: &str) -> anyhow::Result<Section> {
    Ok(match name {
        "Header" => Section::Header,
        "Models" => Section::Models,
        "Twins" => Section::Twins,
        "Relationships" => Section::Relationships,
        other => bail!("there is no section {other:?}; Header, Models, Twins and Relationships are"),
    })
}

fn progress(counts: Counts) {
    if std::io::stderr().is_terminal() {
        eprint!("\r{}", counts.words());
    }
}

async fn send(
    client: &TwinsClient,
    section: Section,
    waiting: &mut Vec<(usize, Value)>,
    counts: &mut Counts,
) -> anyhow::Result<()> {
    let rows = std::mem::take(waiting);
    let many = rows.len();
    match section {
        Section::Start | Section::Header => {}
        Section::Models => {
            let models: Vec<Value> = rows.into_iter().map(|(_, model)| model).collect();
            for some in models.chunks(250) {
                client.add_models(some).await?;
            }
            counts.models += many;
        }
        Section::Twins => {
            each(rows, async |line, mut twin| {
                let id = twin["$dtId"]
                    .as_str()
                    .with_context(|| format!("line {line}: a twin has no $dtId"))?
                    .to_owned();
                if let Some(twin) = twin.as_object_mut() {
                    twin.remove("$dtId");
                    twin.remove("$etag");
                }
                client.put_twin(&id, &twin).await.map(drop).with_context(|| format!("line {line}"))
            })
            .await?;
            counts.twins += many;
        }
        Section::Relationships => {
            each(rows, async |line, row| {
                let text = |name: &str| {
                    let text = row[name].as_str().map(str::to_owned);
                    text.with_context(|| format!("line {line}: a relationship has no {name}"))
                };
                let (source, name, target) = (
                    text("$dtId").or_else(|_| text("$sourceId"))?,
                    text("$relationshipName")?,
                    text("$targetId")?,
                );
                let id = text("$relationshipId")?;
                let properties =
                    row.as_object().into_iter().flatten().filter(|(name, _)| !name.starts_with('$'));
                let properties = properties.map(|(name, value)| (name.clone(), value.clone())).collect();
                let wanted = Relationship { source, id, name, target, etag: String::new(), properties };
                client.put_relationship(&wanted).await.map(drop).with_context(|| format!("line {line}"))
            })
            .await?;
            counts.relationships += many;
        }
    }
    Ok(())
}

/// Sends rows, some at a time; the first error ends it.
async fn each(
    rows: Vec<(usize, Value)>,
    send: impl AsyncFn(usize, Value) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let send = &send;
    futures::stream::iter(rows.into_iter().map(|(line, row)| send(line, row)))
        .buffer_unordered(PARALLEL)
        .try_collect()
        .await
}

/// Lets the service import a blob, and waits until it is over.
async fn job(client: &TwinsClient, input: &str, log: Option<&str>, output: Output) -> anyhow::Result<()> {
    let Some(log) = log else { bail!("--log needs the address of a blob for the service's log") };
    let id = format!("twinwright-{}", uuid::Uuid::new_v4());
    let mut job = client.create_import_job(&id, input, log).await?;
    while !job.is_over() {
        if std::io::stderr().is_terminal() {
            eprint!("\r{id}: {}  ", job.status);
        }
        tokio::time::sleep(POLL).await;
        job = client.get_import_job(&id).await?.with_context(|| format!("the job {id} is gone"))?;
    }
    if job.status != "succeeded" {
        bail!("the job {id} {}: {}; see {log}", job.status, job.error.unwrap_or_default());
    }
    output.result(&job, || format!("imported; the service's log is {log}"));
    Ok(())
}

/// Writes everything as one file.
pub(super) async fn export(client: &TwinsClient, file: &Path, output: Output) -> anyhow::Result<()> {
    let to_stdout = file == Path::new("-");
    let sink: Box<dyn Write> = if to_stdout {
        Box::new(std::io::stdout())
    } else {
        let made = std::fs::File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
        Box::new(made)
    };
    let mut sink = BufWriter::new(sink);
    let mut counts = Counts::default();
    let mut line = |value: &Value| writeln!(sink, "{value}").context("cannot write");
    line(&json!({ "Section": "Header" }))?;
    line(&json!({ "fileVersion": "1.0.0", "author": "twinwright", "organization": "" }))?;
    line(&json!({ "Section": "Models" }))?;
    for model in client.list_models(true)?.collect(MOST).await? {
        line(&model.definition.unwrap_or_default())?;
        counts.models += 1;
    }
    line(&json!({ "Section": "Twins" }))?;
    let mut pages = client.query_all("SELECT * FROM DIGITALTWINS")?;
    while let Some(page) = pages.next_page().await? {
        for twin in page.items {
            line(&without_service_fields(twin))?;
            counts.twins += 1;
        }
        progress(counts);
    }
    line(&json!({ "Section": "Relationships" }))?;
    let mut pages = client.query_all("SELECT * FROM RELATIONSHIPS")?;
    while let Some(page) = pages.next_page().await? {
        for mut row in page.items {
            if let Some(row) = row.as_object_mut() {
                row.remove("$etag");
                if let Some(source) = row.remove("$sourceId") {
                    row.insert("$dtId".to_owned(), source);
                }
            }
            line(&row)?;
            counts.relationships += 1;
        }
        progress(counts);
    }
    sink.flush().context("cannot write")?;
    if !to_stdout {
        output.result(&counts.json(), || format!("exported {} to {}", counts.words(), file.display()));
    }
    Ok(())
}

/// A twin as it is sent: no ETag, and of the metadata only the model.
fn without_service_fields(mut twin: Value) -> Value {
    let Some(fields) = twin.as_object_mut() else { return twin };
    fields.remove("$etag");
    for (name, value) in fields.iter_mut() {
        let Some(metadata) = (if name == "$metadata" { Some(value) } else { value.get_mut("$metadata") })
        else {
            continue;
        };
        let model = metadata.get("$model").cloned();
        *metadata = model.map_or_else(|| json!({}), |model| json!({ "$model": model }));
    }
    twin
}
