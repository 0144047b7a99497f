//! A scorer that was checked, compiled and asked for its name.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::Store;
use wasmtime::component::{Component, HasSelf, Linker};

use crate::LoadError;
use crate::bindings::ScorerPre;
use crate::cache::trusted;
use crate::carried::{CarriedModel, take_apart};
use crate::compiler::compile_apart;
use crate::engine::{ScoringEngine, Shared, ticks};
use crate::guest::Guest;
use crate::instance::{Limits, WasmScorer};
use crate::metrics::{MetricsReading, ScorerMetrics};
use crate::text::{cause, hexadecimal, tame};

/// The one interface that scorers may import, of any version 1.
const LOG: &str = "twinwright:scoring/log@1.";
const MAGIC: &[u8] = b"\0asm";
const COMPONENT_VERSION: &[u8] = &[0x0d, 0, 1, 0];
const CORE_VERSION: &[u8] = &[1, 0, 0, 0];

/// What a scorer says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Lower case words joined by `-`: the key of its limit in baselines.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// Version of its state blobs.
    pub state_format: u32,
    /// Whether the same input always gives the same bits.
    pub deterministic: bool,
}

/// A scorer ready to be instantiated; cheap to clone.
#[derive(Clone)]
pub struct LoadedScorer {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) pre: ScorerPre<Guest>,
    pub(crate) id: String,
    descriptor: Descriptor,
    sha256: String,
    from_cache: bool,
    pub(crate) model: Option<CarriedModel>,
    pub(crate) metrics: ScorerMetrics,
}

impl std::fmt::Debug for LoadedScorer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadedScorer")
            .field("id", &self.inner.id)
            .field("sha256", &self.inner.sha256)
            .finish()
    }
}

impl ScoringEngine {
    /// Checks, compiles (or takes from the cache) and describes a component. Blocks: compiling takes some
    /// 200 ms for a small scorer, the cache a few milliseconds.
    ///
    /// # Errors
    /// [`LoadError`]; nothing is kept of a component that is refused, and the engine goes on.
    pub fn load(&self, bytes: &[u8]) -> Result<LoadedScorer, LoadError> {
        let shared = &self.shared;
        check_header(bytes, shared.config.component_limit)?;
        let (code, model) = take_apart(bytes)?;
        let sha256 = hexadecimal(&Sha256::digest(bytes));
        // An engine is the same code under all its models.
        let key = if model.is_some() { hexadecimal(&Sha256::digest(code)) } else { sha256.clone() };
        let cached = shared.cache.as_ref().and_then(|cache| cache.read(&key, &shared.engine));
        let from_cache = cached.is_some();
        let component = match cached {
            Some(component) => component,
            None => compile(shared, code, &key)?,
        };
        let pre = link(shared, &component)?;
        let mut descriptor = describe(shared, &pre)?;
        if let Some(CarriedModel { name, version, .. }) = &model {
            (descriptor.name, descriptor.version) = (name.clone(), version.clone());
        }
        check_names(&descriptor)?;
        let id = format!("{}@{}", descriptor.name, descriptor.version);
        let metrics = ScorerMetrics::default();
        let inner =
            Inner { shared: Arc::clone(shared), pre, id, descriptor, sha256, from_cache, model, metrics };
        Ok(LoadedScorer { inner: Arc::new(inner) })
    }
}

impl LoadedScorer {
    /// Name and version, e.g. `ewma-chart@1.0.0`.
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// What it says of itself.
    pub fn descriptor(&self) -> &Descriptor {
        &self.inner.descriptor
    }

    /// SHA-256 of the component with the model that it may carry, hexadecimal: names the scorer beyond doubt.
    pub fn sha256(&self) -> &str {
        &self.inner.sha256
    }

    /// Whether it was found compiled.
    pub fn from_cache(&self) -> bool {
        self.inner.from_cache
    }

    /// What it did and cost so far.
    pub fn metrics(&self) -> MetricsReading {
        self.inner.metrics.read()
    }

    /// An instance prepared with a baseline (the bytes of its JSON document). Takes well below a millisecond.
    ///
    /// # Errors
    /// [`LoadError::Prepare`] with the scorer's own words.
    pub fn instantiate(&self, baseline_json: &[u8]) -> Result<WasmScorer, LoadError> {
        self.instantiate_within(baseline_json, Limits::default())
    }

    /// As [`LoadedScorer::instantiate`], with limits of its own; those of the engine are the ceilings.
    ///
    /// # Errors
    /// [`LoadError::Prepare`].
    pub fn instantiate_within(&self, baseline_json: &[u8], limits: Limits) -> Result<WasmScorer, LoadError> {
        WasmScorer::new(self.clone(), Arc::from(baseline_json), limits)
    }
}

/// A store with all limits set, and the deadline clock running before any code of the guest does.
pub(crate) fn store(shared: &Shared, id: &str, deadline: std::time::Duration, memory: usize) -> Store<Guest> {
    let guest =
        Guest::new(id.to_owned(), memory.min(shared.config.memory_limit), shared.config.table_elements);
    let mut store = Store::new(&shared.engine, guest);
    store.limiter(|guest| guest);
    store.set_hostcall_fuel(shared.config.answer_limit);
    store.set_epoch_deadline(ticks(deadline));
    // An engine that does not meter refuses fuel; one that does has no reason to.
    if shared.config.metered && store.set_fuel(u64::MAX).is_err() {
        tracing::warn!("the engine does not meter fuel");
    }
    store
}

fn check_header(bytes: &[u8], limit: usize) -> Result<(), LoadError> {
    let not = |cause: &str| Err(LoadError::NotComponent { cause: cause.to_owned() });
    if bytes.len() > limit {
        return Err(LoadError::TooLarge { bytes: bytes.len(), limit });
    }
    match (bytes.get(..4), bytes.get(4..8)) {
        (Some(MAGIC), Some(COMPONENT_VERSION)) => Ok(()),
        (Some(MAGIC), Some(CORE_VERSION)) => {
            not("it is a core module; encode it as a component of the world `scorer`")
        }
        (Some(MAGIC), Some(_)) => not("its version is unknown to this host; build it with current tools"),
        _ if bytes.is_empty() => not("it is empty"),
        _ => not("it does not begin as WebAssembly does"),
    }
}

fn compile(shared: &Shared, bytes: &[u8], sha256: &str) -> Result<Component, LoadError> {
    let failed = |error: wasmtime::Error| LoadError::Compile { cause: cause(&error) };
    crate::survey::survey(bytes)?;
    let (component, code) = match &shared.config.compiler {
        Some(compiler) if !shared.config.metered => {
            let code = compile_apart(compiler, &shared.config, bytes)?;
            (trusted(&shared.engine, &code).map_err(failed)?, Some(code))
        }
        _ => (Component::from_binary(&shared.engine, bytes).map_err(failed)?, None),
    };
    // Checked before it is kept: what the host refuses does not fill the cache.
    check_imports(shared, &component)?;
    if let Some(cache) = &shared.cache {
        let kept = match code {
            Some(code) => Ok(code),
            None => component.serialize().map_err(|error| std::io::Error::other(error.to_string())),
        }
        .and_then(|code| cache.write(sha256, &code));
        if let Err(error) = kept {
            tracing::warn!(%error, "a compiled scorer cannot be kept; the next start compiles it anew");
        }
    }
    Ok(component)
}

fn check_imports(shared: &Shared, component: &Component) -> Result<(), LoadError> {
    match component.component_type().imports(&shared.engine).find(|(name, _)| !name.starts_with(LOG)) {
        Some((name, _)) => Err(LoadError::Import { name: tame(name) }),
        None => Ok(()),
    }
}

fn link(shared: &Shared, component: &Component) -> Result<ScorerPre<Guest>, LoadError> {
    check_imports(shared, component)?;
    let world = |error: wasmtime::Error| LoadError::World { cause: cause(&error) };
    let mut linker = Linker::new(&shared.engine);
    crate::bindings::twinwright::scoring::log::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)
        .map_err(world)?;
    linker.instantiate_pre(component).and_then(ScorerPre::new).map_err(world)
}

fn describe(shared: &Shared, pre: &ScorerPre<Guest>) -> Result<Descriptor, LoadError> {
    let mut store = store(shared, "unnamed", shared.config.prepare_deadline, usize::MAX);
    let told = pre
        .instantiate(&mut store)
        .and_then(|scorer| scorer.twinwright_scoring_scoring().call_describe(&mut store))
        .map_err(|error| LoadError::Describe { cause: cause(&error) })?;
    Ok(Descriptor {
        name: told.name,
        version: told.version,
        state_format: told.state_format,
        deterministic: told.deterministic,
    })
}

fn check_names(told: &Descriptor) -> Result<(), LoadError> {
    let wrong = |cause: String| Err(LoadError::Descriptor { cause });
    let word =
        |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
    if told.name.is_empty() || told.name.len() > 64 || !told.name.chars().all(word) {
        return wrong(format!(
            "name {:?} must be 1 to 64 lower case letters, digits and hyphens",
            tame(&told.name)
        ));
    }
    let numbers: Vec<&str> = told.version.split(['-', '+']).next().unwrap_or_default().split('.').collect();
    let number = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+');
    if numbers.len() != 3
        || !numbers.iter().all(number)
        || told.version.len() > 64
        || !told.version.bytes().all(plain)
    {
        return wrong(format!("version {:?} must be a semantic version like 1.2.0", tame(&told.version)));
    }
    Ok(())
}

/// Whether bytes have a SHA-256, given in hexadecimal.
pub fn has_hash(bytes: &[u8], sha256: &str) -> bool {
    hexadecimal(&Sha256::digest(bytes)) == sha256
}
