//! What the clients put on the wire and make of the answers, against servers on this machine. Every answer has the form
//! that the real services were seen to use.

#![allow(clippy::unwrap_used, reason = "a test that fails may say so by panicking")]

mod hub;
mod identity;
mod notify;
mod relationships;
mod retries;
mod server;
mod smtp;
mod tls;
mod twins;
