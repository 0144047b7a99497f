//! The ports on Azure's services (and on the local platform, which speaks the same protocols).

mod devices;
mod twins;
mod webhook;

pub use devices::HubDevices;
pub use twins::AzureTwins;
pub use webhook::SignedWebhook;

use std::path::{Path, PathBuf};

use twinwright_azure::http::HttpOptions;

/// An empty path in the configuration means "none".
fn file(path: &Path) -> Option<PathBuf> {
    (!path.as_os_str().is_empty()).then(|| path.to_owned())
}

fn options(ca: &Path) -> HttpOptions {
    HttpOptions { extra_ca: file(ca), ..HttpOptions::default() }
}
