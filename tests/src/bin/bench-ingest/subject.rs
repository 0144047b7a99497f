//! A process under measurement: its address, its processor time, its memory.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;

use crate::load::EVENTS;

/// How long a process may take to answer for the first time.
const READY: Duration = Duration::from_secs(60);
/// How long work that goes on after a reply may take: the handler writes scores every 2 s, and that is part of the cost.
const AFTERWARDS: Duration = Duration::from_millis(2_500);
/// Ticks a second of `/proc/<pid>/stat` (`USER_HZ`, which is 100 on every architecture that Azure offers).
const TICKS: f64 = 100.0;

/// A process that ends with the value.
pub(crate) struct Subject {
    child: Child,
    url: String,
    client: reqwest::Client,
}

/// What a round took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    events: f64,
    /// Processor seconds of the process, user and system, with what it does after its replies.
    core: f64,
    /// Seconds from the first request to the last reply.
    wall: f64,
}

impl Spent {
    /// Events per processor second.
    pub(crate) fn per_core_second(&self) -> f64 {
        self.events / self.core
    }

    /// Events per second of one partition, whose batches come one after the other.
    pub(crate) fn per_second(&self) -> f64 {
        self.events / self.wall
    }
}

impl Subject {
    /// Starts a process that listens on the port that `command` is made with, and waits until it answers.
    pub(crate) async fn start(command: impl FnOnce(u16) -> Command) -> anyhow::Result<Self> {
        // Free until we let go of it; the process takes it in the next moment.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut command = command(port);
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
        let client = reqwest::Client::builder().pool_max_idle_per_host(1).no_proxy().build()?;
        let mut subject = Self { child, url: format!("http://127.0.0.1:{port}"), client };
        let started = Instant::now();
        while subject.client.get(format!("{}/", subject.url)).send().await.is_err() {
            if let Some(status) = subject.child.try_wait()? {
                bail!("the process ended before it answered ({status})");
            }
            ensure!(started.elapsed() < READY, "the process did not answer within {} s", READY.as_secs());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(subject)
    }

    /// Starts the peer.
    pub(crate) async fn peer(python: &Path, script: &Path, folder: &Path) -> anyhow::Result<Self> {
        let peer = Self::start(|port| {
            let mut command = Command::new(python);
            command.arg(script).arg(port.to_string()).arg(folder);
            command
        });
        peer.await.context("the peer")
    }

    /// Posts batches one after the other over one connection; every answer must be 200.
    pub(crate) async fn post(&self, bodies: &[Bytes]) -> anyhow::Result<()> {
        for body in bodies {
            let answer = self
                .client
                .post(format!("{}/ingest", self.url))
                .header("content-type", "application/json")
                .header("x-azure-functions-invocationid", "7f1c9f1e-6d0a-4a53-9c43-0f3b2b9e4a11")
                .body(body.clone())
                .send()
                .await?;
            let status = answer.status();
            let text = answer.text().await?;
            ensure!(status == 200, "a batch was answered {status}: {text}");
        }
        Ok(())
    }

    /// Posts batches and tells what they took.
    pub(crate) async fn measure(&self, bodies: &[Bytes]) -> anyhow::Result<Spent> {
        let before = self.processor_seconds()?;
        let started = Instant::now();
        self.post(bodies).await?;
        let wall = started.elapsed().as_secs_f64();
        tokio::time::sleep(AFTERWARDS).await;
        let core = self.processor_seconds()? - before;
        Ok(Spent { events: (bodies.len() * EVENTS) as f64, core, wall })
    }

    /// Waits until the process is at rest: scorers that nobody needs yet are compiled in the background.
    pub(crate) async fn settle(&self) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            let before = self.processor_seconds()?;
            tokio::time::sleep(AFTERWARDS).await;
            if self.processor_seconds()? - before < 0.03 {
                return Ok(());
            }
            ensure!(started.elapsed() < READY, "the process does not come to rest");
        }
    }

    /// Processor time since its start, user and system, of all its threads.
    fn processor_seconds(&self) -> anyhow::Result<f64> {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))
            .context("processor time is read from /proc, which only Linux has")?;
        // The name in parentheses may hold anything; fields 14 and 15 of the line are 12th and 13th after it.
        let fields = text.rsplit_once(')').context("/proc/<pid>/stat has another form")?.1;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
        Ok(ticks.collect::<Result<Vec<_>, _>>()?.iter().sum::<f64>() / TICKS)
    }

    /// Resident memory.
    pub(crate) fn resident_mb(&self) -> anyhow::Result<f64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kilobytes: f64 = line.split_whitespace().next().context("VmRSS is empty")?.parse()?;
        Ok(kilobytes / 1024.0)
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
