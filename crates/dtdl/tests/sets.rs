//! Sets of models: lookup, inheritance in queries, values, and robustness against arbitrary documents.

// The function that builds models stands outside any test function.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Value, json};
use twinwright_dtdl::{Dtmi, ModelSet, Rules, parse, validate_value};

fn line() -> ModelSet {
    ModelSet::new(Rules::DigitalTwins)
        .with(&[
            json!({"@context": "dtmi:dtdl:context;2", "@id": "dtmi:plant:Machine;1", "@type": "Interface", "contents": [
                {"@type": "Property", "name": "serial", "schema": "string"},
                {"@type": "Property", "name": "limits", "schema": {"@type": "Object", "fields": [
                    {"name": "low", "schema": "double"}, {"name": "high", "schema": "integer"}]}}]}),
            json!({"@context": "dtmi:dtdl:context;2", "@id": "dtmi:plant:Machine;2", "@type": "Interface",
                "extends": "dtmi:plant:Machine;1"}),
            json!({"@context": "dtmi:dtdl:context;2", "@id": "dtmi:plant:Press;1", "@type": "Interface",
                "extends": "dtmi:plant:Machine;2",
                "contents": [{"@type": "Property", "name": "force", "schema": "double"}]}),
        ])
        .unwrap()
}

#[test]
fn contents_are_inherited_in_order() {
    let models = line();
    let press = models.resolve("dtmi:plant:Press;1").unwrap();
    assert_eq!(press.contents.keys().collect::<Vec<_>>(), ["serial", "limits", "force"]);
    assert_eq!(press.contents["serial"].origin.as_str(), "dtmi:plant:Machine;1");
    assert_eq!(press.ancestors.len(), 2);
}

#[test]
fn descendants_and_newer_versions_are_of_a_model() {
    let models = line();
    let old: Dtmi = "dtmi:plant:Machine;1".parse().unwrap();
    let new: Dtmi = "dtmi:plant:Machine;2".parse().unwrap();
    assert!(models.is_of_model("dtmi:plant:Press;1", &old, false));
    assert!(models.is_of_model("dtmi:plant:Machine;2", &old, false));
    assert!(!models.is_of_model("dtmi:plant:Machine;1", &new, false));
    assert!(!models.is_of_model("dtmi:plant:Press;1", &old, true));
    assert!(models.is_of_model("dtmi:plant:Machine;1", &old, true));
}

#[test]
fn an_upload_is_all_or_nothing_and_a_model_never_changes() {
    let models = line();
    let again = json!({"@context": "dtmi:dtdl:context;2", "@id": "dtmi:plant:Press;1", "@type": "Interface"});
    let fresh = json!({"@context": "dtmi:dtdl:context;2", "@id": "dtmi:plant:Saw;1", "@type": "Interface"});
    let errors = models.with(&[fresh.clone(), again]).unwrap_err();
    assert!(errors[0].to_string().contains("exists already"), "{errors:?}");
    assert_eq!(models.len(), 3);
    assert_eq!(models.with(&[fresh]).unwrap().len(), 4);
    assert_eq!(models.dependants("dtmi:plant:Machine;2")[0].as_str(), "dtmi:plant:Press;1");
}

#[test]
fn values_are_checked_with_their_path() {
    let models = line();
    let schema = models.resolve("dtmi:plant:Press;1").unwrap().property("limits").unwrap().clone();
    assert!(validate_value(&schema, &json!({"low": 1, "high": 3})).is_empty());
    assert!(validate_value(&schema, &json!({"low": 1.5})).is_empty());
    let faults = validate_value(&schema, &json!({"low": "1", "high": 3.5, "middle": 2}));
    let mut paths: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/high", "/low", "/middle"], "{faults:?}");
}

#[test]
fn a_small_document_cannot_unfold_into_a_huge_one() {
    let mut schemas =
        vec![json!({"@id": "dtmi:t:s0;1", "@type": "Object", "fields": [{"name": "f", "schema": "double"}]})];
    for level in 1..40 {
        let fields: Vec<Value> = (0..30)
            .map(|field| json!({"name": format!("f{field}"), "schema": format!("dtmi:t:s{};1", level - 1)}))
            .collect();
        schemas.push(json!({"@id": format!("dtmi:t:s{level};1"), "@type": "Object", "fields": fields}));
    }
    let model = json!({"@context": "dtmi:dtdl:context;2", "@id": "dtmi:t:i;1", "@type": "Interface", "schemas": schemas});
    let errors = parse(&[model]).unwrap_err();
    assert!(errors[0].to_string().contains("deep"), "{errors:?}");
}

fn any_json() -> impl Strategy<Value = Value> {
    let key = prop::sample::select(vec![
        "@id",
        "@type",
        "@context",
        "contents",
        "schema",
        "name",
        "fields",
        "extends",
        "schemas",
        "enumValues",
        "mapValue",
        "x",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        prop::sample::select(vec![
            "dtmi:dtdl:context;2",
            "dtmi:dtdl:context;3",
            "Interface",
            "Property",
            "Object",
            "Map",
            "Enum",
            "double",
            "dtmi:a:b;1",
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|entries| Value::Object(
                entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            )),
        ]
    })
}

proptest! {
    #[test]
    fn no_document_makes_the_parser_panic(documents in prop::collection::vec(any_json(), 0..4)) {
        let _ = parse(&documents);
    }

    #[test]
    fn no_identifier_makes_the_parser_panic(text in "\\PC{0,40}") {
        let _ = text.parse::<Dtmi>();
    }

    #[test]
    fn no_contents_make_the_parser_panic(contents in any_json()) {
        let model = json!({"@context": "dtmi:dtdl:context;2", "@id": "dtmi:a:b;1", "@type": "Interface", "contents": contents});
        if let Ok(models) = parse(&[model]) {
            prop_assert!(models.len() <= 60);
        }
    }
}
