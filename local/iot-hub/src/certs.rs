//! A certificate authority and a server certificate for loopback, made once per folder.
//!
//! Clients trust `ca.pem` (`SSL_CERT_FILE`, `NODE_EXTRA_CA_CERTS`, `REQUESTS_CA_BUNDLE`); the keys never leave the
//! folder and only the user can read them.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};

use crate::files;

/// Names every server certificate carries.
const LOOPBACK_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// A server certificate that ends sooner than this is made anew at the next start.
const RENEW_BEFORE: TimeDelta = TimeDelta::days(30);
/// Apple's clients refuse server certificates that last longer than 825 days.
const SERVER_DAYS: i64 = 800;

/// Why certificates could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum CertsError {
    /// A file could not be read or written.
    #[error("cannot use {}: {source}; check that the folder is yours", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A file holds no usable key or certificate.
    #[error("{} holds no usable key or certificate: {reason}; remove the folder to make new ones", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A name cannot stand in a certificate.
    #[error("host name {name:?} cannot stand in a certificate; use a DNS name or an IP address")]
    Name {
        /// The name.
        name: String,
    },
    /// Making a certificate failed.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// TLS refused the certificate.
    #[error("TLS does not take the certificate: {0}; remove its folder to make a new one")]
    Tls(#[from] rustls::Error),
}

/// A folder's certificates, loaded.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The authority's certificate, the file clients must trust.
    pub ca_path: PathBuf,
    /// The same as PEM text.
    pub ca_pem: String,
    /// TLS 1.2 and 1.3, no client certificates, no ALPN.
    pub server_config: Arc<ServerConfig>,
}

/// What the server certificate was made for, kept beside it so that it need not be parsed.
#[derive(Debug, Serialize, Deserialize)]
struct ServerRecord {
    names: Vec<String>,
    not_after: DateTime<Utc>,
}

/// Loads the certificates of a folder; makes what is missing, ends soon or lacks one of the names.
///
/// The authority is made once and kept, so clients that trust it keep working when names are added.
pub fn ensure(dir: &Path, extra_names: &[String]) -> Result<Certificates, CertsError> {
    let file_error = |path: &Path| {
        let path = path.to_path_buf();
        move |source| CertsError::File { path, source }
    };
    files::create_folder(dir).map_err(file_error(dir))?;
    // Two services may start on the same folder at once.
    let lock_path = dir.join("lock");
    let lock = files::private_options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&lock_path)
        .map_err(file_error(&lock_path))?;
    lock.lock().map_err(file_error(&lock_path))?;

    let [ca_path, ca_key_path, server_path, key_path, record_path] =
        ["ca.pem", "ca.key", "server.pem", "server.key", "server.json"].map(|name| dir.join(name));
    let write =
        |path: &Path, text: &str| files::write_private(path, text.as_bytes()).map_err(file_error(path));

    if !ca_path.exists() || !ca_key_path.exists() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        write(&ca_key_path, &key.serialize_pem())?;
        write(&ca_path, &ca_params(Utc::now()).self_signed(&key)?.pem())?;
        let _ = fs::remove_file(&record_path);
    }
    let mut wanted: Vec<String> = LOOPBACK_NAMES.iter().map(|name| (*name).to_owned()).collect();
    for name in extra_names {
        if !wanted.contains(name) {
            wanted.push(name.clone());
        }
    }
    let record: Option<ServerRecord> =
        fs::read(&record_path).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let usable = record.as_ref().is_some_and(|record| {
        record.not_after - Utc::now() > RENEW_BEFORE
            && wanted.iter().all(|name| record.names.contains(name))
            && server_path.exists()
            && key_path.exists()
    });
    if !usable {
        let mut names = wanted;
        for name in record.into_iter().flat_map(|record| record.names) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let ca_key = fs::read_to_string(&ca_key_path).map_err(file_error(&ca_key_path))?;
        let ca_key = KeyPair::from_pem(&ca_key)
            .map_err(|error| CertsError::Unusable { path: ca_key_path.clone(), reason: error.to_string() })?;
        let not_after = Utc::now() + TimeDelta::days(SERVER_DAYS);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        // Name and key are all that a signature takes from the authority, so its certificate need not be parsed.
        let authority = ca_params(Utc::now());
        let params = server_params(&names, Utc::now(), not_after)?;
        let issuer = Issuer::from_params(&authority, &ca_key);
        let certificate = params.signed_by(&key, &issuer)?;
        let _ = fs::remove_file(&record_path);
        write(&key_path, &key.serialize_pem())?;
        write(&server_path, &certificate.pem())?;
        let record = serde_json::to_string_pretty(&ServerRecord { names, not_after }).unwrap_or_default();
        write(&record_path, &record)?;
    }

    let ca_pem = fs::read_to_string(&ca_path).map_err(file_error(&ca_path))?;
    let chain = fs::read(&server_path).map_err(file_error(&server_path))?;
    let key = fs::read(&key_path).map_err(file_error(&key_path))?;
    let server_config = Arc::new(load(&chain, &key, &server_path)?);
    Ok(Certificates { ca_path, ca_pem, server_config })
}

impl Certificates {
    /// The same certificate for HTTP/1.1 servers.
    pub fn http_config(&self) -> Arc<ServerConfig> {
        let mut config = (*self.server_config).clone();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

fn load(chain: &[u8], key: &[u8], path: &Path) -> Result<ServerConfig, CertsError> {
    let unusable = |reason: String| CertsError::Unusable { path: path.to_path_buf(), reason };
    let chain: Vec<CertificateDer<'static>> = rustls_pemfile::certs(&mut &*chain)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(error.to_string()))?;
    let key: PrivateKeyDer<'static> = rustls_pemfile::private_key(&mut &*key)
        .map_err(|error| unusable(error.to_string()))?
        .ok_or_else(|| unusable("no private key".to_owned()))?;
    // Named here, not taken from the process: a library must not depend on who installed a provider first.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?)
}

fn day(time: DateTime<Utc>) -> (i32, u8, u8) {
    (time.year(), u8::try_from(time.month()).unwrap_or(1), u8::try_from(time.day()).unwrap_or(1))
}

fn ca_params(now: DateTime<Utc>) -> CertificateParams {
    let mut params = CertificateParams::default();
    let (year, month, day) = day(now - TimeDelta::days(1));
    params.not_before = rcgen::date_time_ymd(year, month, day);
    params.not_after = rcgen::date_time_ymd(year + 10, month, day.min(28));
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, "Twinwright local authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    // Strict clients (Python 3.13 and later) refuse an authority without these.
    params.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params
}

fn server_params(
    names: &[String],
    now: DateTime<Utc>,
    not_after: DateTime<Utc>,
) -> Result<CertificateParams, CertsError> {
    let mut params = CertificateParams::default();
    let (year, month, first) = day(now - TimeDelta::days(1));
    params.not_before = rcgen::date_time_ymd(year, month, first);
    let (year, month, last) = day(not_after);
    params.not_after = rcgen::date_time_ymd(year, month, last);
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, "Twinwright local service");
    for name in names {
        params.subject_alt_names.push(match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(
                name.as_str().try_into().map_err(|_| CertsError::Name { name: name.clone() })?,
            ),
        });
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_made_once_and_renewed_for_a_new_name() {
        let folder = tempfile::tempdir().unwrap();
        let first = ensure(folder.path(), &[]).unwrap();
        let server = fs::read(folder.path().join("server.pem")).unwrap();
        let again = ensure(folder.path(), &[]).unwrap();
        assert_eq!(first.ca_pem, again.ca_pem);
        assert_eq!(server, fs::read(folder.path().join("server.pem")).unwrap());

        let named = ensure(folder.path(), &["plant.example".to_owned()]).unwrap();
        assert_eq!(first.ca_pem, named.ca_pem, "clients keep trusting the same authority");
        assert_ne!(server, fs::read(folder.path().join("server.pem")).unwrap());
        // A later start that asks for fewer names keeps the wider certificate.
        let wide = fs::read(folder.path().join("server.pem")).unwrap();
        ensure(folder.path(), &[]).unwrap();
        assert_eq!(wide, fs::read(folder.path().join("server.pem")).unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn keys_are_private_to_the_user() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("certs");
        ensure(&dir, &[]).unwrap();
        for name in ["ca.key", "server.key"] {
            let mode = fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{name}");
        }
    }

    #[test]
    fn a_name_that_cannot_stand_in_a_certificate_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = ensure(folder.path(), &["bücher".to_owned()]).unwrap_err();
        assert!(matches!(error, CertsError::Name { .. }), "{error}");
    }
}
