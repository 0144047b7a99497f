use bytes::Bytes;
use reqwest::{Method, header::ETAG};

use super::{PatchOutcome, TwinsClient, wire};
use crate::{
    Error,
    encode::{segment, shorten},
    http::{Answer, Call},
    retry::Failure,
};

/// The service refuses larger requests (service limits of Azure Digital Twins).
const LARGEST_PATCH: usize = 32 * 1024;

impl TwinsClient {
    /// Sends one JSON Patch document (RFC 6902; the service knows add, replace and remove). One attempt: the caller keeps
    /// the patch and coalesces newer values into it until the outcome is [`PatchOutcome::Patched`]. A refused token is
    /// renewed once.
    pub async fn patch_twin(&self, id: &str, operations: Bytes, if_match: Option<&str>) -> PatchOutcome {
        let call = match self.patch_call(id, operations, if_match) {
            Ok(call) => call,
            Err(error) => {
                return PatchOutcome::Invalid { code: "NotSent".into(), message: error.to_string() };
            }
        };
        match self.transport.once(&call).await {
            Ok(answer) => outcome(&answer),
            Err(Failure::NotSent(cause) | Failure::Lost(cause)) => PatchOutcome::Unavailable { cause },
            Err(Failure::Refused(service)) => PatchOutcome::Unavailable { cause: service.to_string() },
            Err(Failure::Final(error)) => PatchOutcome::Unavailable { cause: error.to_string() },
        }
    }

    fn patch_call(&self, id: &str, operations: Bytes, if_match: Option<&str>) -> Result<Call, Error> {
        let what = format!("patch twin {id}");
        if operations.len() > LARGEST_PATCH {
            let problem =
                format!("{} bytes; the service takes {LARGEST_PATCH} at most, so split it", operations.len());
            return Err(Error::input(&what, problem));
        }
        let url = self.url(&["digitaltwins", &segment(&what, id)?], &[])?;
        let mut call = Call::new(what, Method::PATCH, url);
        call.content_type = "application/json-patch+json";
        call.body = Some(operations);
        match if_match {
            Some(etag) => call.header("if-match", etag),
            None => Ok(call),
        }
    }
}

/// Judges by status and code, never by the message.
fn outcome(answer: &Answer) -> PatchOutcome {
    let status = answer.status.as_u16();
    let (code, message) = wire::explain(answer);
    let words = shorten(&message, 500);
    let unavailable =
        |advice: &str| PatchOutcome::Unavailable { cause: format!("{status} {code} ({words}){advice}") };
    match status {
        200..300 => PatchOutcome::Patched { etag: answer.header(ETAG.as_str()).map(str::to_owned) },
        // A gateway's 404 is no word about the twin.
        404 if code.ends_with("NotFound") => PatchOutcome::NotFound,
        404 => unavailable("; is the address that of an Azure Digital Twins instance?"),
        412 => PatchOutcome::PreconditionFailed,
        429 => PatchOutcome::Throttled { retry_after: answer.retry_after() },
        503 if answer.retry_after().is_some() => {
            PatchOutcome::Throttled { retry_after: answer.retry_after() }
        }
        401 => unavailable("; the token was refused"),
        403 => unavailable("; give this identity the role Azure Digital Twins Data Owner"),
        400 | 413 | 415 | 422 => {
            let code = if code.is_empty() { format!("Http{status}") } else { code };
            PatchOutcome::Invalid { code, message: words }
        }
        _ => unavailable(""),
    }
}
