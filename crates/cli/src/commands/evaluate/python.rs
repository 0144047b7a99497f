//! scikit-learn in a process of its own, for comparison.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, bail};

/// scikit-learn's detectors.
pub(super) const ANOMALY: &str = include_str!("../../../../training/references/anomaly.py");
/// scikit-learn on remaining life, quality and load.
pub(super) const PROGNOSTICS: &str = include_str!("../../../../training/references/prognostics.py");
/// What the environment holds; another list, another environment.
const PACKAGES: [&str; 2] = ["numpy==2.4.6", "scikit-learn==1.9.1"];

/// A running interpreter.
pub(super) struct Python {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Python {
    /// Starts one of the programs in an environment that is made where it is missing. `TWINWRIGHT_PYTHON` names an
    /// interpreter that has the packages already.
    pub(super) fn start(program: &str) -> anyhow::Result<Self> {
        let interpreter = match std::env::var_os("TWINWRIGHT_PYTHON") {
            Some(path) => PathBuf::from(path),
            None => environment()?,
        };
        let mut child = Command::new(&interpreter)
            .args(["-W", "ignore", "-c", program])
            // Beside others on the same cores: as many threads as ours.
            .env("OMP_NUM_THREADS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", interpreter.display()))?;
        let input = child.stdin.take().context("no way to the interpreter")?;
        let output = BufReader::new(child.stdout.take().context("no way from the interpreter")?);
        Ok(Self { child, input, output })
    }

    pub(super) fn scores(
        &mut self,
        values: &[f64],
        width: usize,
        fit: usize,
        end: usize,
    ) -> anyhow::Result<Vec<(String, Vec<f64>)>> {
        let cells: Vec<Option<f64>> =
            values.iter().map(|value| value.is_finite().then_some(*value)).collect();
        let request = serde_json::json!({ "values": cells, "width": width, "fit": fit, "end": end });
        let scores = self.ask(&request)?;
        let rows = values.len() / width.max(1);
        if let Some((name, wrong)) = scores.iter().find(|(_, scores)| scores.len() != rows) {
            bail!("{name} gave {} scores for {rows} rows", wrong.len());
        }
        Ok(scores)
    }

    /// One request, one answer: predictions by the name of the method.
    pub(super) fn ask(&mut self, request: &serde_json::Value) -> anyhow::Result<Vec<(String, Vec<f64>)>> {
        writeln!(self.input, "{request}").context("the interpreter ended; its last words are above")?;
        self.input.flush()?;
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!("the interpreter ended; its last words are above");
        }
        let found: BTreeMap<String, Vec<f64>> =
            serde_json::from_str(&line).context("its answer is no JSON")?;
        Ok(found.into_iter().collect())
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The interpreter of an environment in the user's cache.
fn environment() -> anyhow::Result<PathBuf> {
    let home = std::env::var_os("HOME").context("HOME is not set; set TWINWRIGHT_PYTHON instead")?;
    let folder =
        Path::new(&home).join(".cache/twinwright").join(format!("references-{}", PACKAGES.join("-")));
    let interpreter = folder.join("bin/python");
    let ready = folder.join(".ready");
    if ready.is_file() {
        return Ok(interpreter);
    }
    let run = |command: &mut Command| -> anyhow::Result<()> {
        let done =
            command.stdout(Stdio::null()).status().with_context(|| format!("cannot run {command:?}"))?;
        if done.success() {
            Ok(())
        } else {
            bail!("{command:?} failed; install python3-venv or set TWINWRIGHT_PYTHON")
        }
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(&interpreter).args(["-m", "pip", "install", "--quiet", "--no-input"]).args(PACKAGES))?;
    std::fs::write(&ready, "")?;
    Ok(interpreter)
}
