//! `cargo xtask test`: everything that CI runs, step by step, with a summary.
//!
//! Each step of [`steps`] is timed, and streams its output. A step that fails does not stop the others, so that one
//! run shows all there is to repair; one that cannot run says why, which in CI counts as failure. [`tally`] counts
//! the tests themselves.

mod examples;
mod session;
mod steps;
mod tally;

use std::fs::{self, File, TryLockError};
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::args::TestOptions;
use crate::process::say;
use crate::workspace::Workspace;

use session::Session;
use steps::{Outcome, Step};

/// A step and what came of it.
struct Done {
    step: Step,
    outcome: Outcome,
    took: Duration,
}

/// Runs the task.
pub(crate) fn run(options: &TestOptions) -> anyhow::Result<ExitCode> {
    let steps = chosen(options)?;
    if options.list {
        for step in steps {
            println!("{:<16} {}", step.name(), step.about());
        }
        return Ok(ExitCode::SUCCESS);
    }
    let strict = std::env::var("CI").is_ok_and(|value| !["", "0", "false"].contains(&value.as_str()));
    let workspace = Workspace::find()?;
    let _alone = alone(&workspace)?;
    let mut session = Session::start(workspace, steps.iter().any(|step| step.needs_tools() && !options.fast));
    let mut all = Vec::new();
    for step in steps {
        say(&format!("── {}: {}", step.name(), step.about()));
        let started = Instant::now();
        let outcome = step.run(&mut session);
        let done = Done { step, outcome, took: started.elapsed() };
        say(&line(&done));
        all.push(done);
    }
    println!("\n{}", summary(&all));
    let failed = all.iter().filter(|done| done.outcome.is_failure(strict)).count();
    if strict && all.iter().any(|done| matches!(done.outcome, Outcome::Skipped(_))) {
        println!("in CI a skipped step is a failure");
    }
    // Tests count one by one, every other step as one check.
    let mut total = session.tally;
    all.iter().filter(|done| !done.step.counts_tests()).for_each(|done| total.add_step(&done.outcome));
    println!("{total}");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Two runs with one target folder would empty each other's folders: the second waits.
fn alone(workspace: &Workspace) -> anyhow::Result<File> {
    fs::create_dir_all(&workspace.target)?;
    let path = workspace.target.join("xtask-test.lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        say(&format!("another run tests in {}; this one waits for its end", workspace.target.display()));
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(file)
}

/// The steps asked for, in their order.
fn chosen(options: &TestOptions) -> anyhow::Result<Vec<Step>> {
    let known = Step::ALL.map(Step::name);
    if let Some(stranger) = options.only.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("no step is named {stranger:?}; there are: {}", known.join(", "));
    }
    let named = |step: &Step| options.only.is_empty() || options.only.iter().any(|name| name == step.name());
    Ok(Step::ALL.into_iter().filter(|step| named(step) && (!options.fast || step.is_fast())).collect())
}

fn line(done: &Done) -> String {
    let (word, text) = done.outcome.words();
    let told = format!("{word} {} in {}", done.step.name(), time_text(done.took));
    if text.is_empty() { told } else { format!("{told}: {text}") }
}

fn summary(all: &[Done]) -> String {
    let coloured = std::io::stdout().is_terminal();
    let rows = all.iter().map(|done| {
        let (word, text) = done.outcome.words();
        let colour = match done.outcome {
            Outcome::Passed(_) => "32",
            Outcome::Skipped(_) => "33",
            Outcome::Failed(_) => "31",
        };
        let word = if coloured { format!("\x1b[{colour}m{word:<8}\x1b[0m") } else { format!("{word:<8}") };
        let row =
            format!("{word} {:<16} {:>12}  {}", done.step.name(), time_text(done.took), first_line(text));
        row.trim_end().to_owned()
    });
    let total = all.iter().map(|done| done.took).sum();
    rows.chain([format!("{:<8} {:<16} {:>12}", "", "in all", time_text(total))])
        .collect::<Vec<_>>()
        .join("\n")
}

/// Of a long error the first line says what failed; the rest was shown when it happened.
fn first_line(text: &str) -> &str {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default()
}

fn time_text(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_every_step_and_why() {
        let done = |step, outcome| Done { step, outcome, took: Duration::from_secs(75) };
        let all = [
            done(Step::Format, Outcome::Passed(String::new())),
            done(Step::Dashboard, Outcome::Skipped("no browser\nand more".to_owned())),
            done(Step::Demo, Outcome::Failed("books".to_owned())),
        ];
        let text = summary(&all);
        assert!(
            text.contains("skipped  dashboard") && text.contains("no browser") && !text.contains("and more")
        );
        assert!(text.contains("1 min 15 s") && text.contains("3 min 45 s"), "{text}");
        let failures = |strict| all.iter().filter(|done| done.outcome.is_failure(strict)).count();
        assert_eq!((failures(false), failures(true)), (1, 2));
    }

    #[test]
    fn steps_are_chosen_by_name_and_in_order() {
        let of = |fast, only: &[&str]| {
            let only = only.iter().map(|name| (*name).to_owned()).collect();
            chosen(&TestOptions { fast, list: false, only })
        };
        assert_eq!(of(false, &["demo", "build"]).unwrap(), [Step::Build, Step::Demo]);
        assert_eq!(of(true, &["demo", "build"]).unwrap(), [Step::Build]);
        assert_eq!(of(false, &[]).unwrap(), Step::ALL);
        assert!(of(false, &["biuld"]).unwrap_err().to_string().contains("there are: format, lints, build"));
    }

    #[test]
    fn steps_have_names_of_their_own_and_a_fast_choice() {
        let names: std::collections::HashSet<_> = Step::ALL.iter().map(|step| step.name()).collect();
        assert_eq!(names.len(), Step::ALL.len());
        assert!(Step::ALL.iter().any(|step| step.is_fast()) && Step::ALL.iter().any(|step| !step.is_fast()));
    }
}
