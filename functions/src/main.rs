//! The custom handler: configuration, logging, the app, its routes, until the host says stop.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use azure_functions_rs_custom_handler::{handler, serve, terminated};
use twinwright_app::app::App;
use twinwright_app::config::load;
use twinwright_app::functions::router;
use twinwright_app::telemetry::Telemetry;

fn main() -> ExitCode {
    // The handler compiles published scorers in processes of its own making.
    if let Some(code) = twinwright_scoring::compiler::serve_if_asked() {
        return code;
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The host shows the handler's standard error; one line with the whole chain is what a person needs.
            eprintln!("twinwright-functions cannot run: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let config = load(Some(Path::new("twinwright.toml")), std::env::vars())?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let telemetry = Telemetry::start(&config.telemetry.log, Telemetry::connection().as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    let served = runtime.block_on(async {
        let app = Arc::new(App::new(config)?);
        telemetry.watch(&app.counters);
        telemetry.watch_scorers(&app.counters, app.catalog.loader());
        let catalog = Arc::clone(&app.catalog);
        // The port opens at once; the first batch finds the scorers compiled.
        tokio::task::spawn_blocking(move || catalog.warm_up());
        serve(handler(router(Arc::clone(&app))), terminated()).await?;
        app.drain().await;
        anyhow::Ok(())
    });
    telemetry.flush();
    served
}
