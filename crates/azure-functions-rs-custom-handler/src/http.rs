//! The HTTP trigger (`httpTrigger`) without proxying: the host describes the request as JSON.

use std::collections::BTreeMap;

use base64_simd::STANDARD;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::Value;

use crate::envelope::{self, SystemMetadata, Visitor, value_text};
use crate::error::{DecodeError, Fault, Problem};
use crate::scan::Cursor;

/// One HTTP request as the host describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpInvocation {
    /// The function's binding that the request came through.
    pub binding: String,
    /// The whole address that the client asked for.
    pub url: String,
    /// `GET`, `POST` and so on.
    pub method: String,
    /// Query parameters; repeated ones joined by commas.
    pub query: BTreeMap<String, String>,
    /// Headers, names as the client sent them.
    pub headers: BTreeMap<String, Vec<String>>,
    /// Values of the route's placeholders.
    pub params: BTreeMap<String, String>,
    /// Who the platform says the caller is, one object an identity.
    pub identities: Vec<Value>,
    /// The request body; `None` also for chunked bodies, which the host does not pass on.
    pub body: Option<Vec<u8>>,
    /// What the host says about the invocation.
    pub system: SystemMetadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HttpWire {
    url: String,
    method: String,
    #[serde(default, deserialize_with = "perhaps_text")]
    query: BTreeMap<String, String>,
    #[serde(default)]
    headers: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    params: BTreeMap<String, Value>,
    #[serde(default, deserialize_with = "perhaps_text")]
    identities: Vec<Value>,
    #[serde(default)]
    body: Option<Value>,
}

/// Hosts before September 2020 wrote these members as JSON text.
fn perhaps_text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(T::default()),
        Value::String(text) if text.is_empty() => Ok(T::default()),
        Value::String(text) => serde_json::from_str(&text).map_err(D::Error::custom),
        value => serde_json::from_value(value).map_err(D::Error::custom),
    }
}

#[derive(Default)]
struct Members {
    request: Option<HttpWire>,
    system: SystemMetadata,
}

impl HttpInvocation {
    /// Decodes the body of a call; `binding` may be left out where the function has no other `in` binding.
    ///
    /// # Errors
    /// [`DecodeError`] names the field and the place.
    pub fn parse(body: &[u8], binding: Option<&str>) -> Result<Self, DecodeError> {
        let mut members = Members::default();
        let binding = envelope::walk(body, binding, &mut members)?;
        let field = format!("Data.{binding}");
        let wire = members.request.ok_or_else(|| DecodeError::missing(&field))?;
        let content_type = header(&wire.headers, "content-type").unwrap_or_default().to_ascii_lowercase();
        // The host's own rule for what it passes as base64.
        let binary =
            content_type.starts_with("application/octet-stream") || content_type.starts_with("multipart/");
        let body = match wire.body {
            None => None,
            Some(Value::String(text)) if binary => Some(STANDARD.decode_to_vec(text).map_err(|_| {
                Fault { position: 0, problem: Problem::BadBase64 }.in_field(&format!("{field}.Body"))
            })?),
            Some(Value::String(text)) => Some(text.into_bytes()),
            Some(other) => Some(other.to_string().into_bytes()),
        };
        Ok(Self {
            binding,
            url: wire.url,
            method: wire.method,
            query: wire.query,
            headers: wire.headers,
            params: wire.params.into_iter().map(|(name, value)| (name, plain(value))).collect(),
            identities: wire.identities,
            body,
            system: members.system,
        })
    }

    /// First value of a header, names compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

fn header<'a>(headers: &'a BTreeMap<String, Vec<String>>, name: &str) -> Option<&'a str> {
    let (_, values) = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    values.first().map(String::as_str)
}

fn plain(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

impl<'a> Visitor<'a> for Members {
    fn data(&mut self, binding: &str, value: &mut Cursor<'a>) -> Result<(), DecodeError> {
        let field = format!("Data.{binding}");
        let text = value_text(value, &field)?;
        self.request = Some(serde_json::from_str(&text).map_err(|cause| DecodeError::shape(&field, &cause))?);
        Ok(())
    }

    fn metadata(&mut self, name: &str, value: &mut Cursor<'a>) -> Result<(), DecodeError> {
        // Everything else here repeats the request, with names that the caller chooses; a caller may even
        // send a field `sys`, so a broken one is no reason to fail.
        let field = format!("Metadata.{name}");
        if name == "sys" {
            let text = value.raw_value().map_err(|fault| fault.in_field(&field))?;
            self.system = SystemMetadata::read(&mut Cursor::new(text)).unwrap_or_default();
            return Ok(());
        }
        value.skip_value().map_err(|fault| fault.in_field(&field))
    }
}
