//! Runs the service alone, with a certificate of its own, until Ctrl-C.
//!
//! Usage: `cargo run -p twinwright-local-digital-twins --example local_twins -- FOLDER [PORT]`
//! Prints the address, the path of the token and the path of the certificate to trust.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::PrivatePkcs8KeyDer;
use twinwright_local_digital_twins::{LocalTwins, TwinsConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("name a folder for the data")?);
    let port: u16 = arguments.next().map_or(Ok(8444), |port| port.parse())?;
    std::fs::create_dir_all(&folder)?;
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let ca = folder.join("ca.pem");
    std::fs::write(&ca, issued.cert.pem())?;
    let key = PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der());
    let tls = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![issued.cert.der().clone()], key.into())?;
    let mut config = TwinsConfig::new(&folder, Arc::new(tls));
    config.bind = SocketAddr::from(([127, 0, 0, 1], port));
    let service = LocalTwins::start(config).await?;
    println!("url https://localhost:{}", service.address().port());
    println!("token {}", service.token_file().display());
    println!("ca {}", ca.display());
    tokio::signal::ctrl_c().await?;
    service.stop().await;
    Ok(())
}
