//! The engine that all scorers of a process share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use crate::LoadError;
use crate::cache::Cache;
use crate::compiler::CompilerProcess;

/// One tick of the deadline clock.
const TICK: Duration = Duration::from_millis(10);
/// Stack of a guest. Calls run on the caller's thread, which needs at least four times as much.
const GUEST_STACK: usize = 512 << 10;

/// Limits of every scorer.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Private folder for compiled scorers; without one each start compiles anew.
    pub cache_dir: Option<PathBuf>,
    /// A call of `score` that takes longer is stopped (within two ticks of 10 ms).
    pub deadline: Duration,
    /// A call of `describe` or `prepare` that takes longer is stopped.
    pub prepare_deadline: Duration,
    /// Linear memory of an instance, bytes.
    pub memory_limit: usize,
    /// Elements of an instance's tables.
    pub table_elements: usize,
    /// Bytes that an instance may hand over in one call: bounds the answer, and log lines.
    pub answer_limit: usize,
    /// Bytes of one device's state.
    pub state_limit: usize,
    /// Bytes of a component's file.
    pub component_limit: usize,
    /// Instances alive at the same time.
    pub instances: u32,
    /// Batches after which an instance is replaced at the latest; one that leaks is replaced half way to the memory
    /// limit.
    pub retire_after: u32,
    /// Who compiles; `None`: the calling process.
    pub compiler: Option<CompilerProcess>,
    /// Counts the fuel that calls take, for benches: the same rows take the same fuel on every machine, and each
    /// instruction costs more time. A metered engine compiles in the calling process.
    pub metered: bool,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            cache_dir: None,
            deadline: Duration::from_millis(250),
            prepare_deadline: Duration::from_secs(2),
            memory_limit: 64 << 20,
            table_elements: 60_000,
            answer_limit: 16 << 20,
            state_limit: 1 << 20,
            component_limit: 32 << 20,
            instances: 256,
            retire_after: 10_000,
            compiler: CompilerProcess::own(),
            metered: false,
        }
    }
}

/// Compiles and runs scorers; cheap to clone, the last clone stops the tick thread.
#[derive(Clone)]
pub struct ScoringEngine {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) config: EngineConfig,
    pub(crate) cache: Option<Cache>,
    pooled: bool,
    _ticker: Ticker,
}

impl ScoringEngine {
    /// Starts the engine and its tick thread.
    ///
    /// Instances come from a pool of reserved address space; where the system does not allow so much (some
    /// containers limit it), from the general allocator, which is slower but bounded alike.
    ///
    /// # Errors
    /// [`LoadError::Engine`].
    pub fn new(config: EngineConfig) -> Result<Self, LoadError> {
        let (engine, pooled) = match Engine::new(&settings(Some(&config))) {
            Ok(engine) => (engine, true),
            Err(error) => {
                tracing::warn!(%error, "no pool of WebAssembly instances; the general allocator is used");
                let engine = Engine::new(&settings(None))
                    .map_err(|error| LoadError::Engine { cause: crate::text::cause(&error) })?;
                (engine, false)
            }
        };
        let cache = config.cache_dir.as_deref().and_then(|folder| {
            // Without a cache all works, only the start is slower.
            Cache::open(folder, &engine)
                .inspect_err(|error| tracing::warn!(folder = %folder.display(), %error, "no cache of compiled scorers"))
                .ok()
        });
        let ticker = Ticker::start(engine.clone())
            .map_err(|error| LoadError::Engine { cause: format!("no thread for deadlines: {error}") })?;
        Ok(Self { shared: Arc::new(Shared { engine, config, cache, pooled, _ticker: ticker }) })
    }

    /// SHA-256 of a component and the file of its machine code, if it is kept on disk. Only a file that carries this
    /// installation's MAC is ever loaded.
    pub fn cached_file(&self, sha256: &str) -> Option<PathBuf> {
        self.shared.cache.as_ref().map(|cache| cache.path(sha256))
    }

    /// Whether instances come from the pool.
    pub fn pooled(&self) -> bool {
        self.shared.pooled
    }

    /// The limits.
    pub fn config(&self) -> &EngineConfig {
        &self.shared.config
    }
}

/// Core instances of a component at the most: what one of Python needs, with room; those of Rust or C need a tenth.
const CORE_INSTANCES: u32 = 64;

/// Memory that a slot of the pool keeps after its instance, bytes: all that a scorer in Rust or C touches.
const KEPT_MEMORY: usize = 2 << 20;
/// Slots without an instance that keep theirs.
const KEPT_SLOTS: u32 = 16;

/// Ticks until the deadline; one more, because the current tick has begun already.
pub(crate) fn ticks(deadline: Duration) -> u64 {
    u64::try_from(deadline.as_millis().div_ceil(TICK.as_millis())).unwrap_or(u64::MAX / 2).saturating_add(1)
}

pub(crate) fn settings(pool: Option<&EngineConfig>) -> Config {
    let mut settings = Config::new();
    settings
        .wasm_component_model(true)
        // A call costs 0.2 µs without and 0.7 µs with; a scorer has nothing to wait for.
        .concurrency_support(false)
        .epoch_interruption(true)
        .cranelift_opt_level(OptLevel::Speed)
        // The same rows must give the same scores on every machine. The bits of a NaN may still differ between
        // processors, but no answer with a NaN is accepted, and making them equal costs a third of the speed.
        .wasm_relaxed_simd(false)
        .max_wasm_stack(GUEST_STACK)
        .memory_init_cow(true);
    if let Some(config) = pool {
        settings.consume_fuel(config.metered);
        let mut pooling = PoolingAllocationConfig::default();
        pooling
            .total_component_instances(config.instances)
            // A count alone, and a component of Python has dozens.
            .total_core_instances(config.instances.saturating_mul(CORE_INSTANCES))
            .total_memories(config.instances.max(8))
            .total_tables(config.instances.saturating_mul(2).max(64))
            .max_memory_size(config.memory_limit)
            // Cleared, not given back: faults of fresh pages are half of the first batch after a swap.
            .linear_memory_keep_resident(KEPT_MEMORY)
            .max_unused_warm_slots(KEPT_SLOTS)
            .pagemap_scan(Enabled::Auto)
            .table_elements(config.table_elements)
            .max_core_instances_per_component(CORE_INSTANCES)
            .max_memories_per_component(8)
            .max_tables_per_component(32)
            .max_component_instance_size(4 << 20)
            .max_core_instance_size(4 << 20);
        settings.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling));
    }
    settings
}

/// Advances the engine's epoch until it is dropped.
struct Ticker {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(engine: Engine) -> std::io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new().name("scorer-deadlines".to_owned()).spawn(move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                engine.increment_epoch();
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        // Closing the channel wakes the thread at once.
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}
