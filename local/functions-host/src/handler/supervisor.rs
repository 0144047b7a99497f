//! The task that keeps the handler running, by the real host's rules: exit 0 is not noticed, exit 200 is a wanted restart,
//! everything else is an error; errors restart at once until the limit, which stops the host.

use std::{
    net::{Ipv4Addr, TcpListener},
    process::ExitStatus,
    time::{Duration, Instant},
};

use axum::http::uri::Authority;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::{Command, CommandLine, HandlerControl, HandlerState, answers, client, process::Process};
use crate::{
    HostError, HostEvent,
    events::{Events, LogLevel},
};

/// A pause this long between two errors forgets the older ones.
const FORGET_AFTER: Duration = Duration::from_secs(30 * 60);
const POLL: Duration = Duration::from_millis(25);
/// An exit code that asks for a new process.
const WANTED_RESTART: i32 = 200;

/// Owns the child process.
#[derive(Debug)]
pub(crate) struct Supervisor {
    line: CommandLine,
    port: u16,
    authority: Authority,
    initialization_timeout: Duration,
    error_limit: usize,
    grace: Option<Duration>,
    events: Events,
    commands: mpsc::Receiver<Command>,
    state: watch::Sender<HandlerState>,
    errors: Vec<Instant>,
    generation: u64,
}

/// How one process ended.
enum End {
    Exited(ExitStatus, String),
    NotReady,
    NotStarted(String),
    Replaced,
    Stopped(Option<tokio::sync::oneshot::Sender<()>>),
}

/// What a supervisor is made of.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) port: Option<u16>,
    pub(crate) initialization_timeout: Duration,
    pub(crate) error_limit: usize,
    pub(crate) grace: Option<Duration>,
}

impl Supervisor {
    /// Chooses the port, which stays the same over restarts.
    pub(crate) fn new(
        line: CommandLine,
        settings: &Settings,
        events: Events,
    ) -> Result<(Self, HandlerControl), HostError> {
        let wanted = settings.port.unwrap_or(0);
        let address = format!("127.0.0.1:{wanted}");
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, wanted))
            .and_then(|listener| listener.local_addr())
            .map_err(|source| HostError::Listen { address: address.clone(), source })?
            .port();
        let authority: Authority = format!("127.0.0.1:{port}")
            .parse()
            .map_err(|_| HostError::HostJson(format!("{address} is no address")))?;
        let (sender, commands) = mpsc::channel(16);
        let (state, receiver) = watch::channel(HandlerState::Starting);
        let control = HandlerControl {
            authority: authority.clone(),
            commands: sender,
            state: receiver,
            initialization_timeout: settings.initialization_timeout,
        };
        let supervisor = Self {
            line,
            port,
            authority,
            initialization_timeout: settings.initialization_timeout,
            error_limit: settings.error_limit.max(1),
            grace: settings.grace,
            events,
            commands,
            state,
            errors: Vec::new(),
            generation: 0,
        };
        Ok((supervisor, control))
    }

    /// Runs until told to stop (none) or until too many errors (the reason).
    pub(crate) async fn run(mut self) -> Option<String> {
        loop {
            self.state.send_replace(HandlerState::Starting);
            self.generation += 1;
            let cause = match self.one_process().await {
                End::Stopped(done) => {
                    self.state.send_replace(HandlerState::Stopped);
                    if let Some(done) = done {
                        let _ = done.send(());
                    }
                    return None;
                }
                End::Replaced => continue,
                End::Exited(status, last) => {
                    let counted = !matches!(status.code(), Some(0 | WANTED_RESTART));
                    let detail =
                        if last.is_empty() { status.to_string() } else { format!("{status}: {last}") };
                    self.events.emit(HostEvent::HandlerExited {
                        code: status.code(),
                        counted,
                        detail: detail.clone(),
                    });
                    match status.code() {
                        Some(0) => {
                            self.events.log(
                                LogLevel::Warning,
                                None,
                                "the handler ended with exit code 0; the host does not restart it",
                            );
                            if self.linger().await {
                                return None;
                            }
                            continue;
                        }
                        Some(WANTED_RESTART) => continue,
                        _ => format!("the handler ended with {detail}"),
                    }
                }
                End::NotReady => {
                    format!("the handler did not answer GET / within {:?}", self.initialization_timeout)
                }
                End::NotStarted(reason) => {
                    format!("the handler {} cannot be started: {reason}", self.line.program.display())
                }
            };
            self.events.log(LogLevel::Error, None, cause.clone());
            if self.too_many_errors() {
                self.state.send_replace(HandlerState::Stopped);
                return Some(format!(
                    "exceeded http worker restart retry count ({} errors); last: {cause}",
                    self.errors.len()
                ));
            }
        }
    }

    fn too_many_errors(&mut self) -> bool {
        let now = Instant::now();
        if self.errors.last().is_some_and(|last| now.duration_since(*last) > FORGET_AFTER) {
            self.errors.clear();
        }
        self.errors.push(now);
        self.errors.len() >= self.error_limit
    }

    /// After exit code 0 the host believes that the handler is there. Gives whether the host stops.
    async fn linger(&mut self) -> bool {
        self.state.send_replace(HandlerState::Serving { pid: None, generation: self.generation });
        loop {
            match self.commands.recv().await {
                Some(Command::Stop { done }) => {
                    self.state.send_replace(HandlerState::Stopped);
                    let _ = done.send(());
                    return true;
                }
                None => return true,
                Some(Command::Restart { generation, taken }) if generation == self.generation => {
                    self.state.send_replace(HandlerState::Starting);
                    drop(taken);
                    return false;
                }
                Some(Command::Restart { .. } | Command::Kill) => {}
            }
        }
    }

    async fn one_process(&mut self) -> End {
        let worker_id = Uuid::new_v4();
        let started = Instant::now();
        let mut process = match Process::start(&self.line, self.port, worker_id, &self.events) {
            Ok(process) => process,
            Err(error) => return End::NotStarted(error.to_string()),
        };
        let pid = process.pid();
        self.events.emit(HostEvent::HandlerStarted { pid, worker_id });
        let authority = self.authority.clone();
        let ready = async move {
            let client = client();
            while !answers(&client, &authority).await {
                tokio::time::sleep(POLL).await;
            }
        };
        let deadline = tokio::time::sleep(self.initialization_timeout);
        tokio::pin!(ready, deadline);
        let mut waiting = true;
        loop {
            tokio::select! {
                status = process.wait() => {
                    // Before anybody hears of the exit, so that whoever reacts to it waits for the new process.
                    self.state.send_replace(HandlerState::Starting);
                    let last = process.finish().await;
                    return status.map_or_else(|error| End::NotStarted(error.to_string()), |status| End::Exited(status, last));
                }
                () = &mut ready, if waiting => {
                    waiting = false;
                    self.events.emit(HostEvent::HandlerReady { after: started.elapsed() });
                    self.state.send_replace(HandlerState::Serving { pid, generation: self.generation });
                }
                () = &mut deadline, if waiting => {
                    process.end(None).await;
                    return End::NotReady;
                }
                command = self.commands.recv() => match command {
                    Some(Command::Kill) => {
                        // Calls wait for the new process from here on.
                        self.state.send_replace(HandlerState::Starting);
                        process.kill();
                    }
                    Some(Command::Restart { generation, taken }) if generation == self.generation => {
                        self.state.send_replace(HandlerState::Starting);
                        drop(taken);
                        process.end(None).await;
                        return End::Replaced;
                    }
                    Some(Command::Restart { .. }) => {}
                    Some(Command::Stop { done }) => {
                        process.end(self.grace).await;
                        return End::Stopped(Some(done));
                    }
                    None => {
                        process.end(self.grace).await;
                        return End::Stopped(None);
                    }
                },
            }
        }
    }
}

/// Waits for a handler that somebody else runs; it is never started, killed or restarted.
pub(crate) fn supervise_external(
    url: &str,
    initialization_timeout: Duration,
    events: Events,
) -> Result<(impl Future<Output = Option<String>> + Send + use<>, HandlerControl), HostError> {
    let refuse = |reason: &str| HostError::Handler { executable: url.to_owned(), reason: reason.to_owned() };
    let uri: axum::http::Uri = url.parse().map_err(|_| refuse("is no URL; write http://127.0.0.1:PORT"))?;
    let authority = uri.authority().cloned().ok_or_else(|| refuse("has no host and port"))?;
    let (sender, mut commands) = mpsc::channel(16);
    let (state, receiver) = watch::channel(HandlerState::Starting);
    let control = HandlerControl {
        authority: authority.clone(),
        commands: sender,
        state: receiver,
        initialization_timeout,
    };
    let run = async move {
        let started = Instant::now();
        let client = client();
        let ready = async {
            while !answers(&client, &authority).await {
                tokio::time::sleep(POLL).await;
            }
        };
        let deadline = tokio::time::sleep(initialization_timeout);
        tokio::pin!(ready, deadline);
        let mut waiting = true;
        loop {
            tokio::select! {
                () = &mut ready, if waiting => {
                    waiting = false;
                    events.emit(HostEvent::HandlerReady { after: started.elapsed() });
                    state.send_replace(HandlerState::Serving { pid: None, generation: 1 });
                }
                () = &mut deadline, if waiting => {
                    state.send_replace(HandlerState::Stopped);
                    return Some(format!("the external handler did not answer GET / within {initialization_timeout:?}"));
                }
                command = commands.recv() => match command {
                    Some(Command::Stop { done }) => {
                        state.send_replace(HandlerState::Stopped);
                        let _ = done.send(());
                        return None;
                    }
                    None => return None,
                    Some(Command::Kill | Command::Restart { .. }) => {}
                },
            }
        }
    };
    Ok((run, control))
}
