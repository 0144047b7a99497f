//! The command line: the local platform, the simulator, the hub, the twins, the alerts, training and replay.
//!
//! [`args`] says what can be asked, [`commands`] answers, [`platform`] is the local platform, [`simulate`] the
//! devices, [`demo`] the demonstration with its report.

pub mod args;
pub mod commands;
pub mod connection;
pub mod demo;
pub mod output;
pub mod platform;
pub mod simulate;

pub use args::Cli;

use args::Command;
use output::Output;

/// Runs a command.
///
/// # Errors
/// What went wrong, with the whole chain of causes.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    let output = Output::new(cli.json);
    match cli.command {
        Command::Up(options) => commands::up(options, output).await,
        Command::Demo(options) => demo::demo(options, output).await,
        Command::Simulate(options) => commands::simulate(options, output).await,
        Command::Hub { command } => commands::hub(command, output).await,
        Command::Twins { command } => commands::twins(command, output).await,
        Command::Alerts { command } => commands::alerts(command, output).await,
        Command::History { command } => commands::history(command, output).await,
        Command::Plugin { command } => commands::plugin::plugin(command, output).await,
        Command::Train(options) => commands::train(options, output).await,
        Command::Maintenance { command } => commands::maintenance(command, output).await,
        Command::Label { command } => commands::label(command, output).await,
        Command::Evaluate(options) => commands::evaluate(options, output).await,
        Command::Replay(options) => commands::replay(options, output).await,
        Command::Doctor(options) => commands::doctor(options, output).await,
    }
}
