//! The official parser's own test cases.
//!
//! Set `TWINWRIGHT_DTDL_CASES` to a folder of cases (as `test-cases` of digitaltwinconsortium/DTDLParser has them) to run
//! them; without it the test says that it was skipped. A case agrees when the verdict is the same and every error that we
//! report is one that the case expects, with the same identifiers, property and first lines.

// The functions of a test stand outside any test function here.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use twinwright_dtdl::{
    Dtmi, Language, Location, ModelError, ModelSet, Options, Rules, Source, UndefinedExtensions,
    validate_text,
};

/// Cases that cannot agree, by the version of the language that their sources name.
const OTHER_VERSION: &str = "written in DTDL v4, which is refused by name";

/// JSON whose names keep their order: cases are printed again to give places.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Ordered {
    Object(IndexMap<String, Ordered>),
    Array(Vec<Ordered>),
    Other(Value),
}

impl Ordered {
    /// The list of a name, or this list itself.
    fn list(&self, name: &str) -> &[Self] {
        match self {
            Self::Object(map) => map.get(name).map_or(&[], |inner| inner.list("")),
            Self::Array(list) => list,
            Self::Other(_) => &[],
        }
    }
}

#[derive(Default)]
struct Tally {
    agree: usize,
    total: usize,
    exceptions: usize,
    values: usize,
    values_right: usize,
    /// Cases whose expected errors are all found, of those that name any.
    complete: usize,
    named: usize,
}

#[test]
fn official_cases_agree() {
    let Some(folder) = std::env::var_os("TWINWRIGHT_DTDL_CASES") else {
        println!("skipped: TWINWRIGHT_DTDL_CASES names no folder of cases");
        return;
    };
    let mut files = Vec::new();
    collect(Path::new(&folder), &mut files);
    files.sort();
    assert!(!files.is_empty(), "the folder of cases holds no JSON file");
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut differences = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        let text = text.trim_start_matches('\u{feff}');
        let Ok(document) = serde_json::from_str::<Value>(text) else { continue };
        let ordered = match serde_json::from_str::<Ordered>(text).unwrap() {
            Ordered::Array(list) => list,
            one => vec![one],
        };
        let kind = file
            .parent()
            .and_then(Path::file_name)
            .map_or(String::new(), |name| name.to_string_lossy().into());
        let cases = match document {
            Value::Array(list) => list,
            one => vec![one],
        };
        for (index, case) in cases.iter().enumerate().filter(|(_, case)| case["input"].is_array()) {
            let version = if names_v4(case) { "v4" } else { version(file, case) };
            let tally = tallies.entry(format!("{kind} {version}")).or_default();
            let name = format!("{}#{index}", file.file_stem().unwrap().to_string_lossy());
            run((case, &ordered[index]), &name, tally, &mut differences);
        }
    }
    println!(
        "{:<24}{:>8}{:>8}{:>12}{:>16}{:>20}",
        "kind", "cases", "agree", "exceptions", "all errors", "values"
    );
    for (kind, tally) in &tallies {
        let values = format!("{} of {}", tally.values_right, tally.values);
        let complete = format!("{} of {}", tally.complete, tally.named);
        println!(
            "{kind:<24}{:>8}{:>8}{:>12}{complete:>16}{values:>20}",
            tally.total, tally.agree, tally.exceptions
        );
    }
    println!("exceptions: {OTHER_VERSION}");
    for difference in differences.iter().take(200) {
        println!("{difference}");
    }
    assert!(differences.is_empty(), "{} cases differ", differences.len());
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
}

fn names_v4(case: &Value) -> bool {
    let text = format!("{}{}", case["input"], case["resolution"]);
    text.contains("dtmi:dtdl:context;4")
}

fn version(file: &Path, case: &Value) -> &'static str {
    let name = file.to_string_lossy();
    if name.contains("V2") || name.contains("v2") || case["input"].to_string().contains("dtmi:dtdl:context;2")
    {
        "v2"
    } else {
        "v3"
    }
}

fn has(case: &Value, list: &str, name: &str) -> bool {
    case[list].as_array().is_some_and(|list| list.iter().any(|entry| entry == name))
}

fn options(case: &Value) -> Options {
    Options {
        rules: Rules::Language,
        undefined_extensions: if has(case, "options", "AllowUndefinedExtensions") {
            UndefinedExtensions::Allow
        } else if has(case, "options", "DisallowUndefinedExtensions") {
            UndefinedExtensions::Refuse
        } else {
            UndefinedExtensions::ByVersion
        },
        newest: if case["maxDtdlVersion"] == 2 { Language::V2 } else { Language::V3 },
        tolerate_in_sources: has(case, "quirks", "TolerateSolecismsInParse"),
        stop_at_faulty_source: true,
        tolerate_in_resolved: has(case, "quirks", "TolerateSolecismsInResolve"),
        ..Options::default()
    }
}

fn text(value: &Ordered) -> String {
    // As the official tests print their cases: two spaces, one entry a line.
    serde_json::to_string_pretty(value).unwrap()
}

fn run((case, ordered): (&Value, &Ordered), name: &str, tally: &mut Tally, differences: &mut Vec<String>) {
    let input = ordered.list("input");
    let sources = input.iter().enumerate().map(|(index, value)| Source::new(index.to_string(), text(value)));
    let mut rounds = case["resolution"].as_array().into_iter().flatten().zip(ordered.list("resolution"));
    let mut responses: Vec<String> = Vec::new();
    let resolver = |ids: &[Dtmi]| {
        let (round, printed) = rounds.next()?;
        let mut wanted: Vec<&str> = round["request"].as_array()?.iter().filter_map(Value::as_str).collect();
        let mut asked: Vec<&str> = ids.iter().map(Dtmi::as_str).collect();
        wanted.sort_unstable();
        asked.sort_unstable();
        assert_eq!(wanted, asked, "{name} asks for other models");
        let list = round["response"].as_array()?;
        let sources: Vec<Source> = list
            .iter()
            .zip(printed.list("response"))
            .map(|(value, ordered)| Source::new(value["@id"].as_str().unwrap_or_default(), text(ordered)))
            .collect();
        responses.extend(sources.iter().map(|source| source.name.clone()));
        Some(sources)
    };
    let outcome = ModelSet::with_options(options(case)).load_with(sources.collect(), resolver);
    tally.total += 1;
    let valid = case["valid"] == Value::Bool(true);
    if names_v4(case) {
        let refused = outcome.as_ref().err().is_some_and(|errors| {
            errors.iter().any(|error| {
                matches!(error.short_code(), "disallowedContextVersion" | "disallowedContextFragment")
            })
        });
        if refused && valid {
            tally.exceptions += 1;
            return;
        }
    }
    let difference = match (&outcome, valid) {
        (Ok(_), false) => Some("accepted, should be refused".to_owned()),
        (Err(errors), true) => Some(format!("refused: {} {}", errors[0].code, errors[0])),
        (Ok(_), true) => None,
        (Err(errors), false) => unexpected(case, errors, tally),
    };
    match difference {
        Some(difference) => {
            differences.push(format!("{name}: {difference}"));
            return;
        }
        None => tally.agree += 1,
    }
    let Ok(loaded) = outcome else { return };
    for check in case["instances"].as_array().into_iter().flatten() {
        let (subject, submitted) = (check["subject"].as_str().unwrap(), check["submit"].as_str().unwrap());
        let schema = loaded.models.schema(subject);
        tally.values += 1;
        let expected = if check["throws"] == Value::Bool(true) {
            "no schema"
        } else if check["conforms"] == Value::Bool(true) {
            "fits"
        } else {
            "does not fit"
        };
        let found = match schema {
            None => "no schema",
            Some(schema) if validate_text(&schema, submitted).is_empty() => "fits",
            Some(_) => "does not fit",
        };
        if found == expected {
            tally.values_right += 1;
        } else {
            differences
                .push(format!("{name}: the value {submitted} for {subject}: {found}, should be: {expected}"));
        }
    }
}

/// The first error that the case does not expect.
fn unexpected(case: &Value, errors: &[ModelError], tally: &mut Tally) -> Option<String> {
    let expect = &case["expect"];
    let unresolved = errors.iter().all(|error| error.short_code() == "unresolvedReference");
    if let Some(list) =
        expect["unresolvedIdentifiers"].as_array().filter(|_| unresolved || expect["parsingErrors"].is_null())
    {
        tally.named += 1;
        let mut wanted: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
        let mut found: Vec<&str> = errors
            .iter()
            .filter(|error| error.short_code() == "unresolvedReference")
            .filter_map(|error| error.related.as_deref())
            .collect();
        wanted.sort_unstable();
        found.sort_unstable();
        found.dedup();
        if wanted != found || errors.iter().any(|error| error.short_code() != "unresolvedReference") {
            return Some(format!("unresolved should be {wanted:?}, is {found:?}; {}", errors[0]));
        }
        for place in expect["unresolvedIdentifierReferences"].as_array().into_iter().flatten() {
            let there = errors.iter().any(|error| {
                error.related.as_deref() == place["ID"].as_str()
                    && error.at.as_ref().is_some_and(|at| {
                        at.line as u64 == place["Line"].as_u64().unwrap_or(0)
                            && (place.get("Index").is_none_or(|index| *index == at.index))
                    })
            });
            if !there {
                return Some(format!(
                    "no reference at {place}: {:?}",
                    errors.iter().map(|error| &error.at).collect::<Vec<_>>()
                ));
            }
        }
        tally.complete += 1;
        return None;
    }
    let list = expect["parsingErrors"].as_array()?;
    tally.named += 1;
    for error in errors {
        // Several expected errors may share code and element: one of them must fit in every field.
        let candidates: Vec<&Value> = list
            .iter()
            .filter(|wanted| wanted["ValidationID"] == error.code.as_str())
            .filter(|wanted| same(wanted, "PrimaryID", error.element.as_deref()))
            .collect();
        let reasons: Vec<String> =
            candidates.iter().filter_map(|wanted| mismatch(wanted, error).err()).collect();
        if candidates.is_empty() || reasons.len() == candidates.len() {
            let wanted: Vec<String> =
                list.iter().map(|wanted| wanted.to_string().replace("dtmi:dtdl:parsingError:", "")).collect();
            return Some(format!(
                "{} of {:?} (property {:?}, value {:?}, at {:?}) {}; expected {}",
                error.short_code(),
                error.element,
                error.property,
                error.value,
                error.at.as_ref().map(|at| (at.index, at.line, at.end_line)),
                reasons.join(" / "),
                wanted.join(" ")
            ));
        }
    }
    let all =
        list.iter().all(|wanted| errors.iter().any(|error| wanted["ValidationID"] == error.code.as_str()));
    tally.complete += usize::from(all);
    None
}

fn same(wanted: &Value, field: &str, found: Option<&str>) -> bool {
    match wanted.get(field) {
        None => true,
        Some(Value::Null) => found.is_none(),
        Some(Value::Array(list)) => list.iter().any(|entry| entry.as_str() == found),
        Some(Value::String(text)) => found == Some(text),
        Some(other) => found == Some(other.to_string().as_str()),
    }
}

fn mismatch(wanted: &Value, error: &ModelError) -> Result<(), String> {
    let fields = [
        ("SecondaryID", &error.related),
        ("Property", &error.property),
        ("AuxProperty", &error.aux),
        ("Type", &error.of_type),
        ("Value", &error.value),
        ("Restriction", &error.restriction),
    ];
    for (field, found) in fields {
        if !same(wanted, field, found.as_deref()) {
            return Err(format!("{field} is {found:?}"));
        }
    }
    for (side, at) in [("Primary", &error.at), ("Secondary", &error.also)] {
        place(wanted, side, at.as_ref())?;
    }
    Ok(())
}

fn place(wanted: &Value, side: &str, at: Option<&Location>) -> Result<(), String> {
    let field = |name: &str| wanted.get(format!("{side}{name}")).filter(|value| !value.is_null());
    let number = |name| field(name).and_then(Value::as_u64);
    if let Some(index) = number("Index")
        && at.map(|at| at.source.clone()) != Some(index.to_string())
    {
        return Err(format!("{side}Index is {at:?}"));
    }
    if let Some(source) = field("Dtmi").and_then(Value::as_str)
        && at.is_none_or(|at| at.source != source)
    {
        return Err(format!("{side}Dtmi is {at:?}"));
    }
    if let Some(start) = number("Start")
        && at.is_none_or(|at| at.line as u64 != start)
    {
        return Err(format!("{side}Start is {:?}", at.map(|at| at.line)));
    }
    if let Some(end) = number("End")
        && at.is_none_or(|at| at.end_line as u64 != end)
    {
        return Err(format!("{side}End is {:?}", at.map(|at| at.end_line)));
    }
    Ok(())
}
