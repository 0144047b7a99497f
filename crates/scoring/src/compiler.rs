//! Compiling in a process of its own.
//!
//! A component can make the compiler run for minutes or take gigabytes, and the engine's makers do not count that as
//! a fault. So the program starts itself again as a compiler: the child limits its own memory and processor time before
//! it reads a byte, gets an empty environment, hears the component on standard input and answers machine code on
//! standard output. The parent gives it a deadline, and ends it.
//!
//! A program opts in by calling [`serve_if_asked`] first thing in `main`; without that (in tests, or where processes
//! cannot be limited) compiling happens in the calling process.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::LoadError;
use crate::engine::{EngineConfig, settings};
use crate::text::{cause, tame};

/// What the child is asked by.
const ARGUMENT: &str = "--twinwright-compile-scorer";
/// First byte of an answer that is machine code; any other is a message.
const CODE: u8 = 1;
const MESSAGE: u8 = 0;
/// Machine code is some three times the component.
const LARGEST_CODE: u64 = 512 << 20;
const LONGEST_MESSAGE: u64 = 4 << 10;

static OWN_PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// A program that compiles on request, and the bounds it works in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompilerProcess {
    /// A program whose `main` begins with [`serve_if_asked`].
    pub program: PathBuf,
    /// Memory that the child may write to, bytes.
    pub memory: u64,
    /// Wall-clock time; processor time is limited to twice as much, because several threads compile.
    pub deadline: Duration,
}

impl CompilerProcess {
    /// This program, if its `main` began with [`serve_if_asked`].
    pub fn own() -> Option<Self> {
        let program = OWN_PROGRAM.get()?.clone();
        Some(Self { program, memory: 1 << 30, deadline: Duration::from_secs(120) })
    }
}

/// First thing in `main`: a process that was started as a compiler does its work and gets the code to exit with;
/// any other goes on, and may from then on start itself as one.
pub fn serve_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == ARGUMENT) {
        let numbers: Vec<u64> = arguments.filter_map(|text| text.to_str()?.parse().ok()).collect();
        return Some(if serve(&numbers).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if let Ok(program) = std::env::current_exe() {
        OWN_PROGRAM.set(program).ok();
    }
    None
}

/// The child's part.
fn serve(numbers: &[u64]) -> std::io::Result<()> {
    let &[memory, seconds, memory_limit, table_elements, size] = numbers else {
        return Err(std::io::Error::other("five numbers are needed"));
    };
    limit(memory, seconds)?;
    let whole = |number: u64| usize::try_from(number).map_err(std::io::Error::other);
    let config = EngineConfig {
        memory_limit: whole(memory_limit)?,
        table_elements: whole(table_elements)?,
        // Nothing runs here; the pool only has to be of the same kind.
        instances: 1,
        ..EngineConfig::default()
    };
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(size).read_to_end(&mut bytes)?;
    let engine = Engine::new(&settings(Some(&config))).or_else(|_| Engine::new(&settings(None)));
    let code = engine.and_then(|engine| Component::from_binary(&engine, &bytes)?.serialize());
    let mut out = std::io::stdout().lock();
    match code {
        Ok(code) => out.write_all(&[CODE]).and_then(|()| out.write_all(&code))?,
        Err(error) => out.write_all(&[MESSAGE]).and_then(|()| out.write_all(cause(&error).as_bytes()))?,
    }
    out.flush()
}

/// Limits this process. Address space is not limited: the engine reserves far more of it than it uses.
#[cfg(unix)]
fn limit(memory: u64, seconds: u64) -> std::io::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let bounds = [
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_FSIZE, 0),
        (Resource::RLIMIT_NOFILE, 64),
        (Resource::RLIMIT_DATA, memory),
        (Resource::RLIMIT_CPU, seconds),
    ];
    for (resource, bound) in bounds {
        // What the parent runs under already may be less.
        let (_, highest) = getrlimit(resource)?;
        let bound = bound.min(highest);
        setrlimit(resource, bound, bound)?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn limit(_: u64, _: u64) -> std::io::Result<()> {
    Ok(())
}

/// A child that ends with the value.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Has a component compiled by a child; answers machine code.
pub(crate) fn compile_apart(
    compiler: &CompilerProcess,
    config: &EngineConfig,
    bytes: &[u8],
) -> Result<Vec<u8>, LoadError> {
    let failed = |cause: String| LoadError::Compile { cause };
    let cannot = |error: std::io::Error| failed(format!("the compiler's process cannot be used: {error}"));
    let numbers = [
        compiler.memory,
        compiler.deadline.as_secs().max(1).saturating_mul(2),
        config.memory_limit as u64,
        config.table_elements as u64,
        bytes.len() as u64,
    ];
    let child = Command::new(&compiler.program)
        .arg(ARGUMENT)
        .args(numbers.map(|number| number.to_string()))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(cannot)?;
    let mut child = Ended(child);
    let (Some(mut input), Some(output)) = (child.0.stdin.take(), child.0.stdout.take()) else {
        return Err(failed("the compiler's process has no pipes".to_owned()));
    };
    let end = Instant::now() + compiler.deadline;
    let answer = std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(bytes).ok());
        let reader = scope.spawn(move || {
            let mut answer = Vec::new();
            output.take(LARGEST_CODE).read_to_end(&mut answer).map(|_| answer)
        });
        while !reader.is_finished() {
            if Instant::now() >= end {
                // Both threads end with the pipes.
                child.0.kill().ok();
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        reader.join().ok().and_then(Result::ok).unwrap_or_default()
    });
    if Instant::now() >= end {
        let seconds = compiler.deadline.as_secs();
        return Err(failed(format!(
            "it took longer than {seconds} s to compile; make its functions smaller"
        )));
    }
    let status = child.0.wait().map_err(cannot)?;
    match answer.split_first() {
        Some((&CODE, code)) if status.success() => Ok(code.to_vec()),
        Some((&MESSAGE, text)) if status.success() => {
            let text = &text[..text.len().min(usize::try_from(LONGEST_MESSAGE).unwrap_or(0))];
            Err(failed(tame(&String::from_utf8_lossy(text))))
        }
        _ => Err(failed(format!(
            "the compiler was stopped at its limits of {} MiB and {} s ({status}); make the component's functions \
             smaller",
            compiler.memory >> 20,
            compiler.deadline.as_secs()
        ))),
    }
}
