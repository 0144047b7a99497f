//! Measures the service as its clients see it: in a process of its own, over HTTPS, on a folder of its own.
//!
//! Usage: `cargo run --release -p twinwright-local-digital-twins --example bench_twins -- [OPTION…]`
//!
//! Options: `--twins 100000`, `--relationships 300000`, `--clients 64`, `--seconds 8`, `--folder FOLDER` (kept afterwards).
//! Prints one JSON object. Every patch that counts was acknowledged, and an acknowledged patch is durable.

mod client;
mod data;
mod measure;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use twinwright_local_digital_twins::{Limits, LocalTwins, TwinsConfig};

use client::{Connection, Target};

pub(crate) type Fault = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Clone)]
struct Options {
    twins: usize,
    relationships: usize,
    clients: usize,
    seconds: u64,
    folder: Option<PathBuf>,
}

fn options() -> Result<Options, Fault> {
    let mut options =
        Options { twins: 100_000, relationships: 300_000, clients: 64, seconds: 8, folder: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--twins" => options.twins = value.parse()?,
            "--relationships" => options.relationships = value.parse()?,
            "--clients" => options.clients = value.parse()?,
            "--seconds" => options.seconds = value.parse()?,
            "--folder" => options.folder = Some(value.into()),
            other => return Err(format!("the option {other} is not known").into()),
        }
    }
    Ok(options)
}

/// The service, in the process that the bench started.
async fn serve(folder: &Path) -> Result<(), Fault> {
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    std::fs::write(folder.join("ca.pem"), issued.cert.pem())?;
    let key = PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der());
    let tls = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![issued.cert.der().clone()], key.into())?;
    let mut config = TwinsConfig::new(folder, Arc::new(tls));
    config.bind = "127.0.0.1:0".parse()?;
    config.limits = Limits::lifted();
    config.jobs.folder = Some(folder.to_owned());
    let service = LocalTwins::start(config).await?;
    println!("serving {}", service.address().port());
    tokio::signal::ctrl_c().await?;
    service.stop().await;
    Ok(())
}

/// The other process.
pub(crate) struct Service {
    child: Child,
    pub(crate) target: Target,
}

impl Service {
    fn start(folder: &Path) -> Result<Self, Fault> {
        let mut child =
            Command::new(std::env::current_exe()?).arg("serve").arg(folder).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let output = child.stdout.take().ok_or("no output")?;
        std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line)?;
        let port = line.trim().strip_prefix("serving ").ok_or("the service did not start")?.parse()?;
        let ca = rustls::pki_types::CertificateDer::from_pem_file(folder.join("ca.pem"))?;
        let token = std::fs::read_to_string(folder.join("twins.token"))?;
        Ok(Self { child, target: Target::new(port, ca, token.trim())? })
    }

    /// Resident memory in megabytes.
    pub(crate) fn memory(&self) -> Result<f64, Fault> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no memory figure")?;
        let kilobytes: f64 = line.split_whitespace().nth(1).ok_or("no memory figure")?.parse()?;
        Ok(kilobytes / 1000.0)
    }

    /// Processor time so far, in seconds.
    pub(crate) fn processor(&self) -> Result<f64, Fault> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
        // The kernel counts in hundredths of a second on every machine of today.
        Ok(ticks / 100.0)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn bench(options: Options) -> Result<(), Fault> {
    let (folder, _kept) = match &options.folder {
        Some(folder) => (folder.clone(), None),
        None => {
            let made = tempfile::tempdir()?;
            (made.path().to_owned(), Some(made))
        }
    };
    std::fs::create_dir_all(&folder)?;
    data::write_twins(&folder.join("twins.ndjson"), options.twins)?;
    data::write_relationships(&folder.join("relationships.ndjson"), options.twins, options.relationships)?;
    let service = Service::start(&folder)?;
    let mut connection = Connection::open(&service.target).await?;
    let import = measure::import(&mut connection, &folder, "twins").await?;
    let twins_memory = service.memory()?;
    let relations = measure::import(&mut connection, &folder, "relationships").await?;
    let memory = service.memory()?;
    let reads = measure::reads(&service, options.twins, 8, options.seconds).await?;
    let patches = measure::patches(&service, options.twins, options.clients, options.seconds).await?;
    let mixed = measure::reads_during_writes(&service, options.twins, options.seconds).await?;
    let memory_after = service.memory()?;
    // Figures of queries go here, once the bench of queries moves in.
    drop((connection, service));
    let start = Instant::now();
    let again = Service::start(&folder)?;
    let restart = start.elapsed();
    drop(again);
    let report = json!({
        "twins_patches_per_s": patches.rate.round(),
        "twins_patch_p50_ms": patches.p50,
        "twins_patch_p99_ms": patches.p99,
        "twins_patch_processor_us": (patches.processor_us * 10.0).round() / 10.0,
        "twins_read_per_s": reads.rate.round(),
        "twins_read_p50_ms": reads.p50,
        "twins_read_p99_ms": reads.p99,
        "twins_read_processor_us": (reads.processor_us * 10.0).round() / 10.0,
        "twins_read_during_writes_p99_ms": mixed.p99,
        "twins_import_100k_s": import * 100_000.0 / options.twins as f64,
        "relationships_import_s": relations,
        "twins_rss_mb": twins_memory.round(),
        "twins_rss_with_relationships_mb": memory.round(),
        "twins_rss_at_the_end_mb": memory_after.round(),
        "twins_restart_after_kill_s": restart.as_secs_f64(),
        "clients": options.clients,
        "twins": options.twins,
        "relationships": options.relationships,
    });
    println!("{report}");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Fault> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|first| first == "serve") {
        return serve(Path::new(arguments.get(2).ok_or("name a folder")?)).await;
    }
    tokio::time::timeout(Duration::from_secs(600), bench(options()?)).await?
}
