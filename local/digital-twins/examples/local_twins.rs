//! Runs the service alone, with a certificate of its own, until Ctrl-C.
//!
//! Usage: `cargo run -p twinwright-local-digital-twins --example local_twins -- FOLDER [PORT] [OPTION…]`
//!
//! Options: `--no-limits`; `--imports FOLDER` (import jobs may use `file:` addresses below it); `--log NAME=FOLDER` (an
//! endpoint that writes to files); `--webhook NAME=URL`; `--queue NAME=URL`; `--query-lag MILLISECONDS`.
//! Prints the address, the path of the token and the path of the certificate to trust.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::PrivatePkcs8KeyDer;
use twinwright_local_digital_twins::{
    EndpointConfig, EndpointKind, EventGridSchema, Limits, LocalTwins, TwinsConfig,
};

type Fault = Box<dyn std::error::Error>;

fn named(text: &str) -> Result<(String, String), Fault> {
    let (name, value) = text.split_once('=').ok_or("an endpoint is NAME=WHERE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn apply(config: &mut TwinsConfig, mut arguments: impl Iterator<Item = String>) -> Result<(), Fault> {
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--no-limits" => config.limits = Limits::lifted(),
            "--imports" => config.jobs.folder = Some(PathBuf::from(value()?)),
            "--query-lag" => config.query_lag = Duration::from_millis(value()?.parse()?),
            "--log" => {
                let (name, folder) = named(&value()?)?;
                let kind = EndpointKind::PartitionLog { folder: folder.into(), partitions: 4 };
                config.endpoints.push(EndpointConfig::new(name, kind));
            }
            "--webhook" => {
                let (name, url) = named(&value()?)?;
                let kind = EndpointKind::EventGrid {
                    url,
                    schema: EventGridSchema::CloudEvents,
                    handshake: false,
                    key: None,
                };
                config.endpoints.push(EndpointConfig::new(name, kind));
            }
            "--queue" => {
                let (name, url) = named(&value()?)?;
                config.endpoints.push(EndpointConfig::new(name, EndpointKind::StorageQueue { url }));
            }
            port => config.bind = SocketAddr::from(([127, 0, 0, 1], port.parse()?)),
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Fault> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("name a folder for the data")?);
    std::fs::create_dir_all(&folder)?;
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let ca = folder.join("ca.pem");
    std::fs::write(&ca, issued.cert.pem())?;
    let key = PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der());
    let tls = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![issued.cert.der().clone()], key.into())?;
    let mut config = TwinsConfig::new(&folder, Arc::new(tls));
    apply(&mut config, arguments)?;
    let service = LocalTwins::start(config).await?;
    println!("url https://localhost:{}", service.address().port());
    println!("token {}", service.token_file().display());
    println!("ca {}", ca.display());
    tokio::signal::ctrl_c().await?;
    service.stop().await;
    Ok(())
}
