//! One child process: how it is started, signalled, and bound to the life of the host.
//!
//! The handler leads a process group of its own, so that what it starts dies with it. Its standard input is a pipe that
//! the host never writes to: a handler that reads it sees the end of the file when the host is gone, however the
//! host ended. For handlers that do not look, a small watchdog (`sh`, waiting on such a pipe) kills the group when the host
//! was killed itself. The parent-death signal of Linux would need unsafe code and is tied to a thread.

use std::{process::ExitStatus, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    process::{Child, ChildStdin, Command},
    task::JoinHandle,
};
use uuid::Uuid;

use super::{
    CommandLine,
    output::{LastWords, read_stderr, read_stdout},
};
use crate::events::Events;

/// Waits for the end of its input, then kills the group whose number is its argument.
const WATCHDOG: &str = "while read -r line; do :; done; kill -s KILL -- \"-$1\" 2>/dev/null";

/// A running handler.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    group: Option<Pid>,
    watchdog: Option<Child>,
    readers: Vec<JoinHandle<()>>,
    last_words: LastWords,
    /// Held open; its end tells the handler that the host is gone.
    _stdin: Option<ChildStdin>,
}

impl Process {
    pub(super) fn start(
        line: &CommandLine,
        port: u16,
        worker: Uuid,
        events: &Events,
    ) -> std::io::Result<Self> {
        let (port, worker) = (port.to_string(), worker.to_string());
        let mut child = Command::new(&line.program)
            .args(&line.arguments)
            .current_dir(&line.folder)
            .envs(line.environment.iter().map(|(name, value)| (name, value)))
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", &port)
            .env("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", &worker)
            .env("FUNCTIONS_HTTPWORKER_PORT", &port)
            .env("FUNCTIONS_HTTPWORKER_ID", &worker)
            .env("FUNCTIONS_APP_ROOT_PATH", &line.app_folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let last_words = LastWords::default();
        let mut readers = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            readers.push(tokio::spawn(read_stdout(stdout, events.clone())));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.push(tokio::spawn(read_stderr(stderr, events.clone(), last_words.clone())));
        }
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let watchdog = child.id().and_then(|id| watchdog(id).ok());
        Ok(Self { _stdin: child.stdin.take(), child, group, watchdog, readers, last_words })
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for the end; may be dropped and called again.
    pub(super) async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// SIGKILL to the whole group, as the host does.
    pub(super) fn kill(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.start_kill();
    }

    fn signal(&self, signal: Signal) {
        // After the leader was reaped its number may belong to somebody else, so only a live one is signalled.
        if let (Some(group), Some(_)) = (self.group, self.child.id()) {
            let _ = kill_process_group(group, signal);
        }
    }

    /// Ends the process: SIGTERM first when there is a grace, then SIGKILL, then at most a second of waiting.
    pub(super) async fn end(mut self, grace: Option<Duration>) {
        if let Some(grace) = grace {
            self.signal(Signal::TERM);
            let _ = tokio::time::timeout(grace, self.child.wait()).await;
        }
        self.kill();
        let _ = tokio::time::timeout(Duration::from_secs(1), self.child.wait()).await;
        self.finish().await;
    }

    /// After the exit: ends the watchdog before the number of the group can be used again, and reads what is left of the output.
    pub(super) async fn finish(mut self) -> String {
        if let Some(mut watchdog) = self.watchdog.take() {
            let _ = watchdog.kill().await;
        }
        for reader in self.readers.drain(..) {
            let mut reader = reader;
            // A grandchild may hold the pipe open; its lines are not waited for.
            if tokio::time::timeout(Duration::from_millis(200), &mut reader).await.is_err() {
                reader.abort();
            }
        }
        self.last_words.joined()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Whatever way the supervisor ended: no handler outlives it, nor what the handler started.
        self.kill();
    }
}

fn watchdog(group: u32) -> std::io::Result<Child> {
    Command::new("/bin/sh")
        .args(["-c", WATCHDOG, "watchdog", &group.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C in a terminal goes to the foreground group; the watchdog must outlive it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}
