//! `twinwright`: see `twinwright --help`.

use std::process::ExitCode;

use clap::Parser as _;
use twinwright_cli::{Cli, run};

fn main() -> ExitCode {
    // `plugin` compiles scorers in processes of its own making.
    if let Some(code) = twinwright_scoring::compiler::serve_if_asked() {
        return code;
    }
    let cli = Cli::parse();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let json = cli.json;
    match runtime.block_on(run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if json {
                eprintln!("{}", serde_json::json!({ "error": format!("{error:#}") }));
            } else {
                eprintln!("error: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
