//! What several tests need: a configuration, twins and devices that do as they are told.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use serde_json::{Value, json};
use twinwright_scorer_builder::{Which, build_which};

use crate::config::{Config, load};
use crate::ports::{DevicePort, MethodAnswer, TwinAnswer, TwinPort, TwinVersion};

/// Defaults without scorers, with a snapshot every five segments.
pub(crate) fn config() -> Arc<Config> {
    let none = ("TWINWRIGHT_SCORING__SCORERS_DIR".to_owned(), "/nonexistent".to_owned());
    let fresh = ("TWINWRIGHT_SCORING__REFRESH_SECONDS".to_owned(), "0".to_owned());
    let often = ("TWINWRIGHT_INGEST__SNAPSHOT_EVERY_SEGMENTS".to_owned(), "5".to_owned());
    Arc::new(load(None, [none, fresh, often]).unwrap())
}

/// The folder of built scorers: that of `TWINWRIGHT_SCORERS`, or built here.
pub(crate) fn built() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        if let Some(folder) = std::env::var_os("TWINWRIGHT_SCORERS") {
            return folder.into();
        }
        let root = Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../..");
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let out = target.join("test-scorers");
        build_which(Which::All, &root.join("wasm-modules"), &target, &out, &mut |_| {}).unwrap();
        out
    })
}

/// Two threads, so that work which blocks one is seen.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Twins that answer, hang or show something newer.
#[derive(Default)]
pub(crate) struct FakeTwins {
    /// Never answers.
    pub(crate) hangs: bool,
    /// `observedAt` of every twin.
    pub(crate) shown: Option<i64>,
    /// Every twin shows a remaining life.
    pub(crate) shows_life: bool,
    /// Patches with a remaining life are refused: the twins' model has none.
    pub(crate) knows_no_life: bool,
    /// Patches taken.
    pub(crate) patches: Mutex<Vec<String>>,
}

#[async_trait]
impl TwinPort for FakeTwins {
    async fn version(&self, _: &str) -> TwinAnswer<TwinVersion> {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        TwinAnswer::Done(TwinVersion {
            etag: "1".into(),
            observed_at: self.shown,
            shows_life: self.shows_life,
        })
    }

    async fn patch(&self, _: &str, patch: String, _: &str) -> TwinAnswer<String> {
        if self.knows_no_life && patch.contains("remainingLife") {
            return TwinAnswer::Refused("ValidationFailed: remainingLife is not in the model".to_owned());
        }
        self.patches.lock().unwrap().push(patch);
        TwinAnswer::Done("2".into())
    }
}

/// Devices that are there or not, and remember what they were called with.
#[derive(Default)]
pub(crate) struct FakeDevices {
    /// Not connected.
    pub(crate) away: std::sync::atomic::AtomicBool,
    /// Payloads of the calls.
    pub(crate) calls: Mutex<Vec<Value>>,
}

#[async_trait]
impl DevicePort for FakeDevices {
    async fn invoke(&self, _: &str, _: &str, payload: &Value, _: u32) -> MethodAnswer {
        self.calls.lock().unwrap().push(payload.clone());
        if self.away.load(std::sync::atomic::Ordering::SeqCst) {
            return MethodAnswer::NotOnline;
        }
        MethodAnswer::Answered { status: 200, payload: json!({ "stopped": true }) }
    }
}
