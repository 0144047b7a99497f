//! Counting tests, by what the runners print.

use std::fmt;

use super::steps::Outcome;

/// How many tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Passed.
    pub(crate) passed: u64,
    /// Failed, also by taking too long.
    pub(crate) failed: u64,
    /// Ignored or skipped.
    pub(crate) skipped: u64,
}

/// Who runs the tests. Each shows the output of failed tests, in which a summary of the other may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runner {
    /// cargo-nextest, with one summary at the end.
    Nextest,
    /// Cargo's own, with one for each binary.
    Cargo,
}

impl Tally {
    /// Takes a line of output; the runner's own summaries count, all else does not.
    pub(crate) fn read(&mut self, runner: Runner, line: &str) {
        let line = plain(line);
        let counts = match runner {
            Runner::Nextest if line.trim_start().starts_with("Summary [") => line.split_once("run: "),
            Runner::Cargo if line.starts_with("test result: ") => line.split_once(". "),
            _ => None,
        };
        let counts = counts.map(|(_, counts)| counts);
        for part in counts.unwrap_or_default().split([',', ';']) {
            let mut words = part.split_whitespace();
            let (Some(Ok(count)), Some(word)) = (words.next().map(str::parse::<u64>), words.next()) else {
                continue;
            };
            match word {
                "passed" => self.passed += count,
                // `timed out`, `exec failed`
                "failed" | "timed" | "exec" => self.failed += count,
                "skipped" | "ignored" => self.skipped += count,
                _ => {}
            }
        }
    }

    /// A step without tests of its own is one.
    pub(crate) fn add_step(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Passed(_) => self.passed += 1,
            Outcome::Skipped(_) => self.skipped += 1,
            Outcome::Failed(_) => self.failed += 1,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// The line without colours.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut escape = false;
    for letter in line.chars() {
        match letter {
            '\x1b' => escape = true,
            _ if escape => escape = !letter.is_ascii_alphabetic(),
            _ => text.push(letter),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(runner: Runner, lines: &[&str]) -> (u64, u64, u64) {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.read(runner, line));
        (tally.passed, tally.failed, tally.skipped)
    }

    #[test]
    fn nextest_is_understood() {
        let nextest = |line| counted(Runner::Nextest, &[line]);
        let all = "     Summary [   4.013s] 12 tests run: 9 passed (1 slow, 1 leaky), 1 failed, 2 timed out, 3 skipped";
        assert_eq!(nextest(all), (9, 3, 3));
        assert_eq!(
            nextest("     Summary [ 0.1s] 3/10 tests run: 2 passed, 1 exec failed, 0 skipped"),
            (2, 1, 0)
        );
        let coloured = "\x1b[32;1m     Summary\x1b[0m [ 0.0s] \x1b[1m1\x1b[0m test run: \x1b[1m1\x1b[0m passed, 0 skipped";
        assert_eq!(nextest(coloured), (1, 0, 0));
    }

    #[test]
    fn cargo_s_own_runner_is_understood() {
        let lines = [
            "running 3 tests",
            "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ];
        assert_eq!(counted(Runner::Cargo, &lines), (6, 2, 1));
    }

    #[test]
    fn other_lines_do_not_count() {
        let shown = "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 5 filtered out; finished in 60.83s";
        let lines = ["error: 3 failed", "10 passed", "PASS [ 0.1s] x 3 passed", "", shown];
        assert_eq!(counted(Runner::Nextest, &lines), (0, 0, 0));
        assert_eq!(counted(Runner::Cargo, &lines), (0, 0, 0));
    }
}
