//! Sources that mean harm: huge, deep, circular, mutilated. Each ends soon, in a clear error or in a set, never in a panic.

// The functions of a test stand outside any test function here.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value, json};
use twinwright_dtdl::{Dtmi, ModelError, ModelSet, Options, Rules, Source, validate_text, validate_twin};

/// Far more than any of these takes, even in a debug build on a busy machine.
const SOON: Duration = Duration::from_secs(20);

fn load(texts: Vec<String>) -> Result<ModelSet, Vec<ModelError>> {
    let start = Instant::now();
    let sources = texts.into_iter().enumerate().map(|(index, text)| Source::new(index.to_string(), text));
    let outcome = ModelSet::new(Rules::Language).load(sources.collect());
    assert!(start.elapsed() < SOON, "took {:?}", start.elapsed());
    outcome.map(|loaded| loaded.models)
}

fn codes(outcome: Result<ModelSet, Vec<ModelError>>) -> Vec<String> {
    let errors = outcome.err().unwrap_or_default();
    assert!(errors.len() <= Options::default().most_errors);
    errors.iter().map(|error| error.short_code().to_owned()).collect()
}

fn interface(id: &str, rest: &Value) -> String {
    let mut model = json!({"@context": "dtmi:dtdl:context;3", "@id": id, "@type": "Interface"});
    for (name, value) in rest.as_object().unwrap() {
        model[name] = value.clone();
    }
    model.to_string()
}

#[test]
fn ten_thousand_levels_end_in_an_error() {
    for (open, close) in
        [("[", "]"), ("{\"a\":", "}"), ("{\"@context\":{\"a\":", "}}"), ("{\"@graph\":[", "]}")]
    {
        let text = format!("{}7{}", open.repeat(10_000), close.repeat(10_000));
        assert_eq!(codes(load(vec![text.clone()])), ["tooDeep"], "{open}");
        let model = format!(
            r#"{{"@context": "dtmi:dtdl:context;3", "@id": "dtmi:t:a;1", "@type": "Interface", "contents": {text}}}"#
        );
        assert_eq!(codes(load(vec![model])), ["tooDeep"], "{open}");
        assert_eq!(codes(load(vec![open.repeat(10_000)])), ["tooDeep"]);
    }
}

#[test]
fn long_circles_and_chains_end_in_an_error() {
    let ring = |count: usize, chain: usize| -> Vec<String> {
        let next = |index: usize| format!("dtmi:t:i{};1", (index + 1) % count);
        (0..chain)
            .map(|index| interface(&format!("dtmi:t:i{index};1"), &json!({"extends": next(index)})))
            .collect()
    };
    assert!(codes(load(ring(5_000, 5_000))).contains(&"recursiveStructureNarrow".to_owned()));
    let mut line = ring(100_000, 5_000);
    line.push(interface("dtmi:t:i5000;1", &json!({})));
    assert!(codes(load(line)).contains(&"excessiveDepthNarrow".to_owned()));
}

#[test]
fn a_chain_of_components_ends_in_an_error() {
    let part = |index: usize| {
        let contents =
            json!([{"@type": "Component", "name": "part", "schema": format!("dtmi:t:i{};1", index + 1)}]);
        interface(&format!("dtmi:t:i{index};1"), &json!({"contents": contents}))
    };
    let mut texts: Vec<String> = (0..5_000).map(part).collect();
    texts.push(interface("dtmi:t:i5000;1", &json!({})));
    assert!(codes(load(texts)).contains(&"excludedType".to_owned()));
}

#[test]
fn a_chain_of_schemas_ends_in_an_error() {
    let field = |index: usize| json!([{"name": "f", "schema": format!("dtmi:t:s{};1", index + 1)}]);
    let schema = |index: usize| json!({"@id": format!("dtmi:t:s{index};1"), "@type": "Object", "fields": field(index)});
    let mut schemas: Vec<Value> = (0..5_000).map(schema).collect();
    schemas.push(json!({"@id": "dtmi:t:s5000;1", "@type": "Object"}));
    let found = codes(load(vec![interface("dtmi:t:a;1", &json!({"schemas": schemas}))]));
    assert!(found.iter().all(|code| code == "excessiveDepthWide") && !found.is_empty(), "{found:?}");
}

#[test]
fn wide_inheritance_ends_in_an_error() {
    // Each way through the lattice counts: 40 to the power of 9.
    let mut texts = Vec::new();
    for layer in 0..10 {
        for index in 0..40 {
            let above: Vec<String> = if layer == 0 {
                Vec::new()
            } else {
                (0..40).map(|index| format!("dtmi:t:l{}n{index};1", layer - 1)).collect()
            };
            texts.push(interface(&format!("dtmi:t:l{layer}n{index};1"), &json!({"extends": above})));
        }
    }
    assert!(codes(load(texts)).contains(&"excessiveCount".to_owned()));
}

#[test]
fn a_small_document_cannot_unfold_into_a_huge_one() {
    let field = |level: usize| -> Vec<Value> {
        (0..30)
            .map(|index| json!({"name": format!("f{index}"), "schema": format!("dtmi:t:s{};1", level - 1)}))
            .collect()
    };
    let mut schemas = vec![json!({"@id": "dtmi:t:s0;1", "@type": "Object"})];
    for level in 1..5 {
        schemas.push(json!({"@id": format!("dtmi:t:s{level};1"), "@type": "Object", "fields": field(level)}));
    }
    let contents = json!([{"@type": "Property", "name": "p", "schema": "dtmi:t:s4;1"}]);
    let model = interface("dtmi:t:a;1", &json!({"schemas": schemas, "contents": contents}));
    // 30 to the power of 4 fields when unfolded: more than 100,000 elements.
    assert_eq!(codes(load(vec![model])), ["excessiveCount"]);
}

#[test]
fn interfaces_of_a_megabyte_are_the_largest() {
    let padded = |length: usize| {
        let plain = interface("dtmi:t:a;1", &json!({}));
        plain.replacen('{', &format!("{{{}", " ".repeat(length - plain.len())), 1)
    };
    assert!(load(vec![padded(1 << 20)]).is_ok());
    assert_eq!(codes(load(vec![padded((1 << 20) + 1)])), ["partitionTooLarge"]);
    assert!(load(vec![padded(1 << 21).replace("context;3", "context;2")]).is_ok());
}

#[test]
fn a_megabyte_of_contents_is_read_soon() {
    let contents: Vec<Value> = (0..9_000)
        .map(|index| json!({"@type": "Property", "name": format!("property{index}"), "schema": "double", "comment": "a value"}))
        .collect();
    let text = interface("dtmi:t:a;1", &json!({"contents": contents}));
    assert!(text.len() < 1 << 20 && text.len() > 600_000);
    assert_eq!(load(vec![text]).unwrap().resolve("dtmi:t:a;1").unwrap().contents.len(), 9_000);
    let faulty: Vec<Value> = (0..9_000)
        .map(|index| json!({"@type": "Property", "name": format!("p{index}"), "colour": 1}))
        .collect();
    assert_eq!(codes(load(vec![interface("dtmi:t:a;1", &json!({"contents": faulty}))])).len(), 100);
    for text in [
        format!("{{{}}}", (0..50_000).map(|index| format!("\"@k{index}\": 1")).collect::<Vec<_>>().join(",")),
        interface("dtmi:t:a;1", &json!({"displayName": vec!["x"; 50_000]})),
        interface("dtmi:t:a;1", &json!({"@type": vec!["Interface"; 50_000]})),
        interface("dtmi:t:a;1", &json!({"extends": vec!["dtmi:t:b;1"; 50_000]})),
    ] {
        let _outcome = load(vec![text]);
    }
}

#[test]
fn sources_have_a_longest_length() {
    let set = ModelSet::with_options(Options { longest_source: 100, ..Options::default() });
    let errors = set.load(vec![Source::new("long.json", " ".repeat(101))]).unwrap_err();
    assert_eq!(errors[0].short_code(), "sourceTooLarge");
}

#[test]
fn a_resolver_that_never_ends_is_stopped() {
    let set = ModelSet::with_options(Options { most_rounds: 20, ..Options::language() });
    let mut rounds = 0;
    let outcome = set.load_with(
        vec![Source::new("a", interface("dtmi:t:i0;1", &json!({"extends": "dtmi:t:i1;1"})))],
        |ids| {
            rounds += 1;
            let next = format!("dtmi:t:i{};1", rounds + 1);
            Some(
                ids.iter()
                    .map(|id| Source::new(id.as_str(), interface(id.as_str(), &json!({"extends": next}))))
                    .collect(),
            )
        },
    );
    assert_eq!(outcome.unwrap_err()[0].short_code(), "unresolvedReference");
    assert_eq!(rounds, 20);
}

/// A model with something of everything.
fn rich() -> String {
    let model = json!({
        "@context": ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1", "dtmi:dtdl:extension:annotation;1",
            "dtmi:dtdl:extension:overriding;1", "dtmi:dtdl:extension:historization;1"],
        "@id": "dtmi:t:rich;1", "@type": "Interface", "displayName": {"en": "Rich", "de": "Reich"}, "extends": ["dtmi:t:base;1"],
        "schemas": [{"@id": "dtmi:t:limits;1", "@type": "Object", "fields": [{"name": "low", "schema": "double"},
            {"name": "list", "schema": {"@type": "Array", "elementSchema": "dateTime"}}]}],
        "contents": [
            {"@type": ["Property", "Velocity", "Historized"], "name": "speed", "schema": "double", "unit": "metrePerSecond"},
            {"@type": ["Property", "ValueAnnotation", "Override"], "name": "unit", "annotates": "speed", "overrides": "unit", "schema": "VelocityUnit"},
            {"@type": "Telemetry", "name": "at", "schema": "point"},
            {"@type": "Property", "name": "limits", "schema": "dtmi:t:limits;1", "writable": {"@value": true, "@type": "xsd:boolean"}},
            {"@type": "Command", "name": "stop", "request": {"name": "now", "schema": "boolean"}},
            {"@type": "Relationship", "name": "feeds", "maxMultiplicity": 3, "target": "dtmi:t:tank;1",
                "properties": [{"@type": "Property", "name": "since", "schema": {"@type": "Map", "mapKey": {"name": "k", "schema": "string"},
                    "mapValue": {"name": "v", "schema": {"@type": "Enum", "valueSchema": "integer", "enumValues": [{"name": "on", "enumValue": 1}]}}}}]},
            {"@type": "Component", "name": "part", "schema": "dtmi:t:base;1"}
        ]
    });
    let base = json!({"@context": "dtmi:dtdl:context;2", "@id": "dtmi:t:base;1", "@type": "Interface",
        "contents": [{"@type": ["Property", "Temperature"], "name": "heat", "schema": "double", "unit": "kelvin"}]});
    serde_json::to_string_pretty(&json!([model, base])).unwrap()
}

#[test]
fn the_rich_model_is_valid() {
    if let Err(errors) = load(vec![rich()]) {
        panic!("{}", errors[0]);
    }
}

fn mutilated() -> impl Strategy<Value = Vec<u8>> {
    let text = rich().into_bytes();
    let length = text.len();
    let change = (0..length, 0..6_u8, any::<u8>(), 0..length, 1..40_usize);
    prop::collection::vec(change, 1..6).prop_map(move |changes| {
        let mut bytes = text.clone();
        for (at, kind, byte, other, count) in changes {
            let at = at.min(bytes.len().saturating_sub(1));
            let end = (at + count).min(bytes.len());
            match kind {
                0 if !bytes.is_empty() => bytes[at] = byte,
                1 => drop(bytes.drain(at..end)),
                2 => bytes.insert(at, byte),
                3 => {
                    // A piece from elsewhere.
                    let from = other.min(bytes.len());
                    let piece: Vec<u8> = bytes[from..(from + count).min(bytes.len())].to_vec();
                    bytes.splice(at..at, piece);
                }
                4 => bytes.truncate(at.max(1)),
                _ => {
                    let words: [&[u8]; 8] = [
                        b"null",
                        b"[]",
                        b"{}",
                        b"\"@id\"",
                        b"\"dtmi:t:rich;1\"",
                        b"\"Interface\"",
                        b"7",
                        b"\"schema\"",
                    ];
                    bytes.splice(at..end, words[usize::from(byte) % words.len()].iter().copied());
                }
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn no_mutilated_model_makes_the_parser_panic(bytes in mutilated()) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        match ModelSet::new(Rules::DigitalTwins).load(vec![Source::new("m", text.clone())]) {
            Ok(loaded) => prop_assert!(loaded.models.len() <= 2),
            Err(errors) => {
                prop_assert!(!errors.is_empty());
                for error in errors {
                    prop_assert!(!error.render("m", &text).is_empty());
                    prop_assert!(!error.to_string().is_empty());
                }
            }
        }
    }

    #[test]
    fn no_value_makes_the_checks_panic(text in "[-\\[\\]{}\",:a-z0-9.]{0,60}") {
        let set = load(vec![rich()]).unwrap();
        let model = set.resolve("dtmi:t:rich;1").unwrap();
        for (_, schema) in model.properties() {
            let _faults = validate_text(schema, &text);
        }
        if let Ok(Value::Object(mut twin)) = serde_json::from_str(&text) {
            twin.insert("$metadata".to_owned(), json!({"$model": "dtmi:t:rich;1"}));
            prop_assert!(!validate_twin(&set, &twin).is_empty());
        }
    }

    #[test]
    fn no_identifier_makes_the_parser_panic(text in "\\PC{0,40}") {
        let _outcome = text.parse::<Dtmi>();
        let model = json!({"@context": ["dtmi:dtdl:context;3", &text], "@id": &text, "@type": ["Interface", &text],
            "extends": &text, &text: "x"});
        let _outcome = ModelSet::new(Rules::Language).with(&[model]);
    }
}
