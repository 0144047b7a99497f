//! What this crate's tests share.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use twinwright_core::frame::{Frame, SequenceRange, SignalColumn};
use twinwright_core::time::{Micros, SECOND};

use crate::store::{Store, parse_connection_string};

/// 2026-03-04T10:59:50Z: ten seconds before a new hour.
pub(crate) const START: Micros = 1_772_621_990 * SECOND;

/// One row a second and sequence number, of device `arm-1` or `arm-2` in turn, time = enqueued, signal = sequence number.
pub(crate) fn frame(partition: u32, first: i64, last: i64) -> Frame {
    let at = |sequence: i64| START + sequence * SECOND;
    let sequence: Vec<i64> = (first..=last).collect();
    let time: Vec<Micros> = sequence.iter().map(|&sequence| at(sequence)).collect();
    let values = (first..=last).map(|sequence| f64::from(i32::try_from(sequence).unwrap())).collect();
    Frame {
        devices: vec!["arm-1".into(), "arm-2".into()],
        device: sequence.iter().map(|sequence| u32::from(sequence % 2 == 0)).collect(),
        enqueued: time.clone(),
        time,
        sequence,
        signals: vec![SignalColumn { name: Arc::from("speed"), values, flags: Vec::new() }],
        ..Frame::empty(partition, SequenceRange { first, last }, at(first))
    }
}

/// An emulator of its own, ended with the value.
pub(crate) struct Azurite {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Azurite {
    /// Starts the program that `TWINWRIGHT_AZURITE` names (its `azurite.js`); without it the test is skipped.
    pub(crate) fn start() -> Option<Self> {
        let Some(script) = std::env::var_os("TWINWRIGHT_AZURITE") else {
            println!("skipped: set TWINWRIGHT_AZURITE to azurite.js of the npm package azurite");
            return None;
        };
        rustls::crypto::ring::default_provider().install_default().ok();
        let folder = tempfile::tempdir().unwrap();
        let ports: Vec<u16> = (0..3)
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
            .collect::<Vec<_>>()
            .iter()
            .map(|listener| listener.local_addr().unwrap().port())
            .collect();
        let process = Command::new("node")
            .arg(script)
            .args(["--skipApiVersionCheck", "--disableTelemetry", "--silent"])
            .args(["--blobPort", &ports[0].to_string(), "--queuePort", &ports[1].to_string()])
            .args(["--tablePort", &ports[2].to_string(), "--location"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let azurite = Self { process, port: ports[0], _folder: folder };
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, azurite.port)).is_err() {
            assert!(Instant::now() < deadline, "azurite does not listen on port {}", azurite.port);
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(azurite)
    }

    /// A container of it.
    pub(crate) fn store(&self, container: &str) -> Store {
        let mut config = parse_connection_string("UseDevelopmentStorage=true", container).unwrap();
        config.endpoint = Some(format!("http://127.0.0.1:{}/{}", self.port, config.account));
        Store::azure(config).unwrap()
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}
