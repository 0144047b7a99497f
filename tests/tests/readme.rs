//! Every command of the README: run as it is written, or named here with the reason why it cannot be run here.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::process::Command;
use twinwright_app::clock::now;
use twinwright_app::documents::CommandStore;
use twinwright_core::command::Command as MachineCommand;
use twinwright_core::policy::OnCritical;
use twinwright_core::time::SECOND;
use twinwright_simulator::{Kind, Machine};
use twinwright_tests::line::{Line, options};
use twinwright_tests::{package, staged};

/// Programs whose commands the README gives.
const PROGRAMS: &[&str] = &["cargo", "twinwright", "az", "azd", "func", "cd", "cp", "rm"];
/// Longer than any of them takes.
const PATIENCE: Duration = Duration::from_secs(120);
/// Commands that are checked elsewhere, or need what no test has.
const ELSEWHERE: &[(&str, &str)] = &[
    ("cargo xtask test", "runs this test"),
    ("cargo xtask demo", "a step of cargo xtask test"),
    ("cargo xtask package", "a step of cargo xtask test, which checks the staged folder"),
    ("cargo build -p twinwright-cli", "a step of cargo xtask test builds it"),
    ("twinwright up", "this test starts the same platform"),
    ("az ", "needs a subscription"),
    ("azd ", "needs a subscription; cargo xtask test checks the templates"),
    ("cd target/functionapp", "the staged folder, see cargo xtask package"),
    ("cp local.settings.example.json", "the staged folder, see cargo xtask package"),
    ("func start", "needs Azure Functions Core Tools"),
];

/// A model of one's own.
const PUMP: &str = r#"{ "@context": "dtmi:dtdl:context;2", "@id": "dtmi:plant:Pump;1", "@type": "Interface",
    "extends": "dtmi:twinwright:Equipment;1", "contents": [] }"#;

/// Commands in the order of the text: code spans and lines of code blocks that begin with a program's name.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if in_block || line.starts_with("    ") {
            found.push(line.trim().to_owned());
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    // A span that only names a program or a subcommand in passing has no further word.
    let is_command = |text: &String| {
        let mut words = text.split_whitespace();
        words.next().is_some_and(|word| PROGRAMS.contains(&word)) && words.next().is_some()
    };
    let mut commands: Vec<String> = found.into_iter().filter(is_command).collect();
    let mut seen = std::collections::HashSet::new();
    commands.retain(|command| seen.insert(command.clone()));
    commands
}

/// Splits as a shell would: quotes hold words together.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut begun) = (Vec::new(), String::new(), None, false);
    for sign in command.chars() {
        match (quote, sign) {
            (Some(open), sign) if sign == open => quote = None,
            (None, '"' | '\'') => (quote, begun) = (Some(sign), true),
            (None, ' ') => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            (_, sign) => {
                word.push(sign);
                begun = true;
            }
        }
    }
    words.extend(begun.then_some(word));
    words
}

#[test]
fn commands_are_found_and_split() {
    let text =
        "Run `twinwright up` or `twinwright`.\n\n    twinwright alerts list\n\n```sh\nfunc start\n```\n`a b`";
    assert_eq!(commands(text), ["twinwright up", "twinwright alerts list", "func start"]);
    assert_eq!(words(r#"a --x '{"b": 1}' "c d""#), ["a", "--x", r#"{"b": 1}"#, "c d"]);
}

/// The command line, beside this test where cargo put both.
fn program() -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test.parent().and_then(Path::parent).context("no target folder")?;
    let program = folder.join("twinwright");
    ensure!(program.is_file(), "{} is missing: cargo build --workspace --bins", program.display());
    Ok(program)
}

/// Readings as a plant would export them.
fn write_readings(path: &Path) -> anyhow::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    writeln!(file, "timestamp,temperature,vibration,pressure")?;
    let mut machine = Machine::new(Kind::RoboticArm, "robotic-arm-001", 3);
    let start = now() - 2_000 * SECOND;
    for row in 0..2_000 {
        let reading: serde_json::Value = serde_json::from_str(&machine.step(start + row * SECOND).to_json())?;
        let value = |name: &str| reading[name].as_f64().unwrap_or(f64::NAN);
        let time = reading["timestamp"].as_str().unwrap_or_default();
        writeln!(file, "{time},{},{},{}", value("temperature"), value("vibration"), value("pressure"))?;
    }
    Ok(())
}

/// A command that waits for a person.
async fn pending(line: &Line) -> anyhow::Result<String> {
    let command = MachineCommand {
        id: "readme-emergencyStop".to_owned(),
        device: "robotic-arm-001".to_owned(),
        method: "emergencyStop".to_owned(),
        mode: OnCritical::Ask,
        alert: "readme".to_owned(),
        reason: "vibration".to_owned(),
        requested_at: now(),
        expires_at: now() + 3_600 * SECOND,
        response_timeout_seconds: 5,
    };
    CommandStore::new(line.store.clone()).request(&command).await?;
    Ok(command.id)
}

#[test]
fn every_command_of_the_readme_works() -> anyhow::Result<()> {
    let Some(app) = staged("TWINWRIGHT_APP") else { return Ok(()) };
    let readme = package()?.join("../README.md");
    let commands = commands(&std::fs::read_to_string(readme)?);
    for (prefix, _) in ELSEWHERE {
        ensure!(
            commands.iter().any(|command| command.starts_with(prefix)),
            "the README has no {prefix:?} any more"
        );
    }
    let program = program()?;
    let folder = tempfile::tempdir()?;
    write_readings(&folder.path().join("readings.csv"))?;
    std::fs::write(folder.path().join("pump.json"), PUMP)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let line = Line::bare(options(&folder.path().join(".twinwright"), &app)?, &[]).await?;
        let waiting = pending(&line).await?;
        let mut ran = 0;
        for command in &commands {
            if let Some((_, reason)) = ELSEWHERE.iter().find(|(prefix, _)| command.starts_with(prefix)) {
                println!("not run: {command} ({reason})");
                continue;
            }
            if command.starts_with("rm ") {
                continue;
            }
            let mut words = words(&command.replace("COMMAND-ID", &waiting));
            ensure!(words.remove(0) == "twinwright", "{command}: say how it is run");
            println!("run: {command}");
            let run =
                Command::new(&program).args(words).current_dir(folder.path()).stdin(Stdio::null()).output();
            let answer = tokio::time::timeout(PATIENCE, run)
                .await
                .with_context(|| format!("{command} goes on and on"))??;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            ensure!(
                answer.status.success(),
                "{command}:\n{}\n{}",
                text(&answer.stdout),
                text(&answer.stderr)
            );
            ran += 1;
        }
        ensure!(ran >= 10, "only {ran} commands were run");
        line.stop().await;
        // `rm -r .twinwright` as the README has it: nothing holds the folder any more.
        ensure!(
            commands.iter().any(|command| command == "rm -r .twinwright"),
            "the README does not clean up"
        );
        std::fs::remove_dir_all(folder.path().join(".twinwright"))?;
        anyhow::Ok(())
    })
}
