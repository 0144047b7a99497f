//! Where a handler's log lines go.

use tracing_subscriber::EnvFilter;

/// Sends `tracing` events to standard output, filtered by `RUST_LOG` (default `info`). Calling it again, or
/// after another subscriber was set, changes nothing.
///
/// Standard output, since the host marks every line of standard error as an error.
pub fn log_to_stdout() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // The host stamps each line with its own time and shows no colours.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stdout)
        .with_ansi(false)
        .without_time()
        .try_init();
}
