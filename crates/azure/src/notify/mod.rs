//! Senders of notifications: signed [`Webhook`]s, [`Teams`], [`Email`], [`EventGrid`]. Each is small, knows nothing of
//! alerts, and may deliver a message twice: receivers drop ids that they have seen.

mod email;
mod event_grid;
mod signature;
mod teams;
mod webhook;

pub use email::{Email, EmailSecurity, EmailSettings};
pub use event_grid::{Event, EventGrid};
pub use signature::{ID_HEADER, SIGNATURE_HEADER, SignatureError, TIMESTAMP_HEADER, sign, verify_signature};
pub use teams::{Card, Teams};
pub use webhook::Webhook;

use crate::http::{Answer, HttpOptions};

/// Nobody reads a receiver's answer, so little of it is kept for the error.
const LARGEST_ANSWER: usize = 4 * 1024;

fn options(options: &HttpOptions) -> HttpOptions {
    HttpOptions { largest_answer: LARGEST_ANSWER, ..options.clone() }
}

/// Receivers agree on no form of error: the first words must do.
fn explain(answer: &Answer) -> (String, String) {
    let words = String::from_utf8_lossy(&answer.body[..answer.body.len().min(300)]).into_owned();
    let advice = if answer.status.is_redirection() {
        "redirects are not followed; name the final address"
    } else {
        ""
    };
    (String::new(), if advice.is_empty() { words } else { advice.to_owned() })
}
