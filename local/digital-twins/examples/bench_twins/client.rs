//! A client that costs little, so that the service has the processor: one TLS connection, one request at a time.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Fault;

/// Where the service is and how it is spoken to.
#[derive(Clone)]
pub(crate) struct Target {
    port: u16,
    token: String,
    tls: TlsConnector,
}

impl Target {
    pub(crate) fn new(port: u16, ca: CertificateDer<'static>, token: &str) -> Result<Self, Fault> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(ca)?;
        let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Self { port, token: token.to_owned(), tls: TlsConnector::from(Arc::new(config)) })
    }
}

/// One connection, kept open.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    token: String,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(target: &Target) -> Result<Self, Fault> {
        let socket = TcpStream::connect(("127.0.0.1", target.port)).await?;
        socket.set_nodelay(true)?;
        let stream = target.tls.connect(ServerName::try_from("localhost")?, socket).await?;
        Ok(Self { stream, token: target.token.clone(), buffer: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a request and reads the whole answer: its status and its body.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<(u16, String), Fault> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let request = format!(
            "{method} {path}{separator}api-version=2023-10-31 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.stream.flush().await?;
        self.buffer.clear();
        let head = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the service closed the connection".into());
            }
        };
        let text = std::str::from_utf8(&self.buffer[..head])?;
        let status = text.get(9..12).ok_or("no status")?.parse()?;
        let length = text
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length:").map(|value| value.trim().parse())
            })
            .transpose()?
            .unwrap_or(0usize);
        while self.buffer.len() < head + length {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the service closed the connection".into());
            }
        }
        Ok((status, String::from_utf8_lossy(&self.buffer[head..head + length]).into_owned()))
    }
}
