//! Running other programs with a deadline and with their output at hand.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::BuildError;

/// Lines of a failed program's output that an error shows.
const SHOWN_LINES: usize = 40;

/// Runs to the end, passing each line of standard error on; `Err` in the result has the last lines.
pub(crate) fn run(
    command: &mut Command,
    line: &mut dyn FnMut(&str),
) -> Result<Result<(), String>, BuildError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let started = |cause| BuildError::Start { program: program.clone(), cause };
    let mut child = match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(cause) => return Err(started(cause)),
    };
    let mut shown: Vec<String> = Vec::new();
    if let Some(output) = child.stderr.take() {
        for text in BufReader::new(output).lines().map_while(Result::ok) {
            line(text.trim());
            if shown.len() == SHOWN_LINES {
                shown.remove(0);
            }
            shown.push(text);
        }
    }
    let status = child.wait().map_err(started)?;
    Ok(if status.success() { Ok(()) } else { Err(shown.join("\n")) })
}

/// Standard output of a short program; `None` where it cannot be started or fails.
pub(crate) fn output_of(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs with a deadline; what has not ended by then is stopped. The error says why it did not succeed.
pub(crate) fn run_within(command: &mut Command, deadline: Duration) -> Result<(), String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let end = Instant::now() + deadline;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(_)) => {
                let mut text = String::new();
                if let Some(output) = child.stderr.take() {
                    // What it said last is the cause; a few kB are plenty.
                    output.take(8_192).read_to_string(&mut text).ok();
                }
                return Err(text.lines().last().unwrap_or("it failed without a word").trim().to_owned());
            }
            Ok(None) if Instant::now() >= end => {
                child.kill().ok();
                child.wait().ok();
                return Err(format!("no answer within {} s", deadline.as_secs()));
            }
            Ok(None) => std::thread::sleep(Duration::from_millis(50)),
            Err(error) => return Err(error.to_string()),
        }
    }
}
