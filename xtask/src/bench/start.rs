//! How long the handler takes from its start to its first answer, and how much memory it holds then.
//!
//! The host asks `GET /` every 25 ms until anything answers; invocations wait as long.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use super::{Context, Figure};
use crate::workspace::HANDLER;

/// The host's own patience.
const DEADLINE: Duration = Duration::from_secs(30);
const RUNS: usize = 7;

/// A handler that ends with the value.
struct Handler {
    child: Child,
    ready: Duration,
}

/// Measures the optimised build.
pub(super) fn run(context: &Context) -> anyhow::Result<Vec<Figure>> {
    let folder = context.workspace.target.join("bench-start");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    measure(context.app()?, &folder)
}

/// The first start finds an empty folder, the later ones what it left there.
fn measure(app: &Path, folder: &Path) -> anyhow::Result<Vec<Figure>> {
    let cold = Handler::start(app, folder)?.ready;
    let mut warm = Vec::new();
    let mut memory = None;
    for _ in 0..RUNS {
        let handler = Handler::start(app, folder)?;
        warm.push(handler.ready);
        memory = resident_mb(handler.child.id()).or(memory);
    }
    warm.sort();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let mut figures = vec![
        Figure::at_most("handler_ready_ms", milliseconds(warm[RUNS / 2]), "ms", 300.0, 100.0),
        Figure::told("handler_ready_cold_ms", milliseconds(cold), "ms"),
    ];
    figures.extend(memory.map(|value| Figure::told("handler_ready_rss_mb", value, "MB")));
    Ok(figures)
}

impl Handler {
    fn start(app: &Path, folder: &Path) -> anyhow::Result<Self> {
        // Free until we let go of it; the handler takes it in the next moment.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let started = Instant::now();
        let child = Command::new(app.join(HANDLER))
            .current_dir(app)
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .env("TWINWRIGHT_STORAGE__URL", format!("folder:{}", folder.join("storage").display()))
            .env("TWINWRIGHT_SCORING__CACHE_DIR", folder.join("cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .context("cannot start the handler")?;
        let mut handler = Self { child, ready: Duration::ZERO };
        while !answers(port) {
            if let Some(status) = handler.child.try_wait()? {
                bail!("the handler ended before it answered ({status})");
            }
            ensure!(
                started.elapsed() < DEADLINE,
                "the handler did not answer within {} s",
                DEADLINE.as_secs()
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        handler.ready = started.elapsed();
        Ok(handler)
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether `GET /` gets any HTTP answer.
fn answers(port: u16) -> bool {
    let asked = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")?;
        let mut start = [0; 5];
        stream.read_exact(&mut start)?;
        Ok(&start == b"HTTP/")
    };
    asked().unwrap_or(false)
}

/// Resident memory in MB, where the system tells.
fn resident_mb(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kilobytes| kilobytes / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_staged_handler_is_measured() {
        let Some(app) = std::env::var_os("TWINWRIGHT_APP") else {
            println!("skipped: TWINWRIGHT_APP names no staged app");
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let figures = measure(Path::new(&app), folder.path()).unwrap();
        assert_eq!(figures[0].name, "handler_ready_ms");
        assert!(figures.iter().all(|figure| figure.value > 0.0), "{figures:?}");
        println!("{figures:?}");
    }

    #[test]
    #[cfg(unix)]
    fn a_handler_that_ends_is_said_so() {
        let app = tempfile::tempdir().unwrap();
        let path = app.path().join(HANDLER);
        assert!(Handler::start(app.path(), app.path()).is_err());
        // `false` stands for a handler that refuses its configuration.
        std::os::unix::fs::symlink("/bin/false", &path).unwrap();
        let error = Handler::start(app.path(), app.path()).err().unwrap();
        assert!(error.to_string().contains("ended before it answered"), "{error}");
    }
}
