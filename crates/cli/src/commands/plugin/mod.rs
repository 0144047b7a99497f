//! `plugin`: a scorer's way from an empty folder to all devices, and back.
//!
//! [`keys`] are the platform's key and trust document, `package` signs and verifies, `registry` publishes and shows,
//! `decide` tries, promotes and rolls back, `check` holds a component against its rules and cases, `check_model` a model
//! against the engines, `bench` measures, `replay` tests on history,
//! `new` and `build` are for authors.

mod bench;
mod build;
mod cases;
mod check;
mod check_model;
mod decide;
pub mod keys;
mod new;
mod package;
mod registry;
mod replay;

use crate::args::PluginCommand;
use crate::output::Output;

/// Runs `plugin`.
///
/// # Errors
/// What is wrong with the scorer, or with the platform.
pub async fn plugin(command: PluginCommand, output: Output) -> anyhow::Result<()> {
    match command {
        PluginCommand::New(options) => new::new(&options, output),
        PluginCommand::Build(options) => build::build(&options, output),
        PluginCommand::Check(options) => check::check(&options, output),
        PluginCommand::Test(options) => check::test(&options, output),
        PluginCommand::CheckModel(options) => check_model::check_model(&options, output),
        PluginCommand::Bench(options) => bench::bench(&options, output),
        PluginCommand::Replay(options) => replay::replay(&options, output).await,
        PluginCommand::Keygen { owner, data } => keys::keygen(&data.data, &owner, output),
        PluginCommand::Sign(options) => package::sign(&options, output),
        PluginCommand::Verify(options) => package::verify(&options, output),
        PluginCommand::Publish(options) => registry::publish(&options, output).await,
        PluginCommand::Canary(options) => decide::decide(&options, decide::What::Canary, output).await,
        PluginCommand::Promote(options) => decide::decide(&options, decide::What::Promote, output).await,
        PluginCommand::Rollback(options) => decide::roll_back(&options, output).await,
        PluginCommand::List { data } => registry::list(&data.data, output).await,
        PluginCommand::Show { release, data } => registry::show(&release, &data.data, output).await,
        PluginCommand::Log { equipment, most, data } => {
            registry::log(&equipment, most, &data.data, output).await
        }
    }
}
