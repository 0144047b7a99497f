//! The plant that is measured: machines with properties and a component, joined by relationships.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Value, json};

use crate::Fault;

pub(crate) const MACHINE: &str = "dtmi:bench:Machine;1";

fn models() -> Value {
    let property = |name: &str, schema: &str| json!({"@type": "Property", "name": name, "schema": schema});
    json!([
        {"@context": "dtmi:dtdl:context;2", "@id": "dtmi:bench:Health;1", "@type": "Interface", "contents": [
            property("score", "double"), property("state", "string")]},
        {"@context": "dtmi:dtdl:context;2", "@id": MACHINE, "@type": "Interface", "contents": [
            property("serial", "string"), property("status", "string"), property("temperature", "double"),
            property("vibration", "double"), property("speed", "double"),
            {"@type": "Relationship", "name": "feeds", "properties": [property("since", "date")]},
            {"@type": "Component", "name": "health", "schema": "dtmi:bench:Health;1"}]},
    ])
}

fn open(path: &Path) -> Result<BufWriter<File>, Fault> {
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(
        file,
        "{}\n{}",
        json!({"Section": "Header"}),
        json!({"fileVersion": "1.0.0", "author": "bench", "organization": "bench"})
    )?;
    Ok(file)
}

pub(crate) fn twin_id(index: usize) -> String {
    format!("machine-{index:06}")
}

pub(crate) fn write_twins(path: &Path, count: usize) -> Result<(), Fault> {
    let mut file = open(path)?;
    writeln!(file, "{}", json!({"Section": "Models"}))?;
    for model in models().as_array().into_iter().flatten() {
        writeln!(file, "{model}")?;
    }
    writeln!(file, "{}", json!({"Section": "Twins"}))?;
    for index in 0..count {
        let twin = json!({"$dtId": twin_id(index), "$metadata": {"$model": MACHINE}, "serial": format!("SN-{index:08}"),
            "status": "running", "temperature": 20.0 + (index % 500) as f64 / 10.0, "vibration": 0.25, "speed": 1450,
            "health": {"$metadata": {}, "score": 0.1, "state": "good"}});
        writeln!(file, "{twin}")?;
    }
    Ok(file.flush()?)
}

pub(crate) fn write_relationships(path: &Path, twins: usize, count: usize) -> Result<(), Fault> {
    let mut file = open(path)?;
    writeln!(file, "{}", json!({"Section": "Relationships"}))?;
    for index in 0..count {
        let (source, round) = (index % twins, index / twins + 1);
        // Every round leads further away, so that no two of a twin's relationships have one target.
        let target = (source + round * round * 31 + 1) % twins;
        if target == source {
            continue;
        }
        let relationship = json!({"$dtId": twin_id(source), "$relationshipId": format!("feeds-{round}"),
            "$relationshipName": "feeds", "$targetId": twin_id(target), "since": "2026-01-31"});
        writeln!(file, "{relationship}")?;
    }
    Ok(file.flush()?)
}
