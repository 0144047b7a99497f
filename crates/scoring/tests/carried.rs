//! A model at the end of an engine's component: one file for the registry, one compilation for all models.

#![allow(missing_docs)]

mod common;

use twinwright_model::attach;
use twinwright_scoring::{EngineConfig, LoadError, LoadedScorer, ScoringEngine};

const SETTINGS: &[u8] = br#"{"name":"pump-model","version":"2.1.0","limit":1}"#;

#[test]
fn an_engine_is_compiled_once_for_all_its_models_and_each_is_a_scorer_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = EngineConfig { cache_dir: Some(folder.path().to_owned()), ..EngineConfig::default() };
    let engine = ScoringEngine::new(config).expect("engine starts");
    // Any scorer will do for an engine: it reads its own members of the document.
    let component = common::bytes("ewma-chart");
    let load =
        |model: &[u8]| engine.load(&attach(&component, SETTINGS, model).expect("attached")).expect("loads");
    let (first, second) = (load(b"one"), load(b"two"));
    assert_eq!((first.id(), first.descriptor().name.as_str()), ("pump-model@2.1.0", "pump-model"));
    assert_ne!(first.sha256(), second.sha256());
    assert!(!first.from_cache() && second.from_cache());
    let (_, golden) = common::golden("ewma-chart").remove(0);
    let alone = engine.load(&component).expect("loads");
    let play = |scorer: &LoadedScorer| {
        let mut scorer = scorer
            .instantiate(golden.baseline.get().as_bytes())
            .expect("the model is before the baseline's members");
        common::play(&mut scorer, &golden.batch, usize::MAX)
    };
    assert_eq!(play(&first).scores, play(&alone).scores);
    assert!(first.instantiate(b"no document").is_err());
}

#[test]
fn a_damaged_or_nameless_model_is_refused_before_anything_is_compiled() {
    let engine = common::engine();
    let component = common::bytes("ewma-chart");
    let because = |settings: &[u8]| engine.load(&attach(&component, settings, b"m").expect("attached")).err();
    assert!(matches!(because(b"{}"), Some(LoadError::Model { .. })));
    assert!(matches!(because(b"[1]"), Some(LoadError::Model { .. })));
    assert!(matches!(because(br#"{"name":"Pump","version":"1.0.0"}"#), Some(LoadError::Descriptor { .. })));
    let mut torn = attach(&component, SETTINGS, b"model").expect("attached");
    let at = torn.len() - 9;
    torn[at] ^= 0xff;
    assert!(matches!(engine.load(&torn).err(), Some(LoadError::Model { .. })));
}
