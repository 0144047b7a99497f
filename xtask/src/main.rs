//! Developer tasks, run as `cargo xtask <task>`.
//!
//! [`demo`] runs the line, [`test`] runs everything CI runs, [`package`] stages the function app and [`check`] holds
//! the staged folder against the Functions host's rules, [`bench`] measures, [`quality`] measures detection. They share [`workspace`] (where things
//! are, how cargo is called), [`scorers`] (WebAssembly components, built when their sources changed), [`tools`] (what
//! tests need from apt, pip and npm, installed with a word about why) and [`process`].

mod args;
mod bench;
mod check;
mod demo;
mod fingerprint;
mod package;
mod process;
mod quality;
mod scorers;
mod test;
mod tools;
mod workspace;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Cli, Task};

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Demo(options) => demo::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Package(options) => package::run(&options).map(|()| ExitCode::SUCCESS),
        Task::Bench(options) => bench::run(&options),
        Task::Engines => engines(),
        Task::Quality(options) => quality::run(&options),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn engines() -> anyhow::Result<ExitCode> {
    let folder = scorers::engines(&workspace::Workspace::find()?)?;
    process::say(&format!("the engines are in {}", folder.display()));
    Ok(ExitCode::SUCCESS)
}
