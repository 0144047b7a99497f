//! TLS with an authority of our own, as the local platform has it.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};
use twinwright_azure::{Error, http::HttpOptions, twins::TwinsClient};

use crate::{
    server::{options, token},
    twins::twin,
};

/// An acceptor for `localhost`, and the PEM file of the authority that vouches for it.
pub(crate) fn acceptor() -> (TlsAcceptor, tempfile::NamedTempFile) {
    tokio_rustls::rustls::crypto::ring::default_provider().install_default().ok();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority.pem()).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), file)
}

#[tokio::test]
async fn an_extra_authority_is_trusted_and_a_stranger_is_not() {
    let (acceptor, authority) = acceptor();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // A client that does not trust us breaks off here.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            let body = twin("a").to_string();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.ok();
        }
    });
    let (_file, tokens) = token("t");
    let trusting = HttpOptions { extra_ca: Some(authority.path().to_owned()), ..options() };
    let client = TwinsClient::new(&url, tokens.clone(), &trusting).unwrap();
    assert!(client.get_twin("a").await.unwrap().is_some());

    // A machine without any authority refuses to build a client at all; both are refusals.
    match TwinsClient::new(&url, tokens, &options()) {
        Ok(client) => {
            let error = client.get_twin("a").await.unwrap_err();
            assert!(matches!(error, Error::Transport { may_have_acted: false, .. }), "{error:?}");
            assert!(error.to_string().to_lowercase().contains("certificate"), "{error}");
        }
        Err(error) => assert!(error.to_string().contains("TLS"), "{error}"),
    }
}

#[test]
fn a_file_without_certificates_is_refused() {
    let (_file, tokens) = token("t");
    let wrong = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(wrong.path(), "not a certificate").unwrap();
    for path in [wrong.path().to_owned(), wrong.path().with_extension("missing")] {
        let settings = HttpOptions { extra_ca: Some(path), ..options() };
        let error = TwinsClient::new("https://localhost:1", tokens.clone(), &settings).unwrap_err();
        assert!(matches!(error, Error::File { .. }), "{error:?}");
    }
}
