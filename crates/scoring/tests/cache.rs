//! Compiled scorers on disk, and swapping.

#![allow(missing_docs)]

mod common;

use std::path::{Path, PathBuf};

use common::{Plain, bytes};
use twinwright_core::scoring::Scorer;
use twinwright_scoring::{EngineConfig, ScorerRegistry, ScoringEngine};

fn engine(folder: &Path) -> ScoringEngine {
    let cache_dir = Some(folder.to_owned());
    ScoringEngine::new(EngineConfig { cache_dir, instances: 8, ..EngineConfig::default() }).expect("engine")
}

fn compiled(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("folder").map(|entry| entry.expect("entry").path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "cwasm")).collect()
}

#[test]
fn the_second_start_finds_it_compiled() {
    let parent = tempfile::tempdir().expect("folder");
    let folder = parent.path().join("cache");
    let hostile = bytes("hostile");
    assert!(!engine(&folder).load(&hostile).expect("loads").from_cache());
    let again = engine(&folder).load(&hostile).expect("loads");
    assert!(again.from_cache());
    let mut scorer = again.instantiate(b"behave").expect("instantiates");
    scorer.score(&Plain::new(2, 2).batch()).expect("scores");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| std::fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join("key"))), (0o700, 0o600));
        assert_eq!(mode(&compiled(&folder)[0]), 0o600);
    }
}

#[test]
fn changed_cut_and_swapped_files_are_compiled_anew() {
    let parent = tempfile::tempdir().expect("folder");
    let folder = parent.path().join("cache");
    let (hostile, chart) = (bytes("hostile"), bytes("ewma-chart"));
    engine(&folder).load(&hostile).expect("loads");
    let file = compiled(&folder).remove(0);
    let good = std::fs::read(&file).expect("reads");
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for bad in [&flipped[..], &good[..good.len() - 1], &good[..10], b""] {
        std::fs::write(&file, bad).expect("writes");
        assert!(!engine(&folder).load(&hostile).expect("loads").from_cache());
        assert!(engine(&folder).load(&hostile).expect("loads").from_cache(), "and was put right");
    }
    engine(&folder).load(&chart).expect("loads");
    let other = compiled(&folder).into_iter().find(|path| *path != file).expect("two files");
    std::fs::copy(&file, &other).expect("copies");
    let loaded = engine(&folder).load(&chart).expect("loads");
    assert!(!loaded.from_cache() && loaded.id() == "ewma-chart@1.0.0", "another scorer's code is not taken");
    std::fs::write(folder.join("key"), [7; 32]).expect("writes");
    assert!(!engine(&folder).load(&hostile).expect("loads").from_cache(), "another key signs nothing");
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().expect("folder");
    let folder = parent.path().join("cache");
    engine(&folder).load(&bytes("hostile")).expect("loads");
    let public = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(folder.join("key"), public).expect("permissions");
    assert!(!engine(&folder).load(&bytes("hostile")).expect("works without a cache").from_cache());
}

#[test]
fn a_swap_counts_from_the_next_batch_on() {
    let engine =
        ScoringEngine::new(EngineConfig { instances: 8, ..EngineConfig::default() }).expect("engine");
    let registry = ScorerRegistry::default();
    let first = engine.load(&bytes("hostile")).expect("loads");
    assert!(registry.swap("pump", first.clone()).is_none());
    let mut running = registry.get("pump").expect("there").instantiate(b"behave").expect("instantiates");
    let before =
        registry.swap("pump", engine.load(&bytes("ewma-chart")).expect("loads")).expect("the one before");
    assert_eq!(before.sha256(), first.sha256());
    assert_ne!(registry.get("pump").expect("there").sha256(), running.loaded().sha256());
    drop((before, first, engine));
    running.score(&Plain::new(2, 2).batch()).expect("the old one finishes its batch");
    assert_eq!(registry.list().len(), 1);
    assert!(registry.remove("pump").is_some() && registry.get("pump").is_none());
}
