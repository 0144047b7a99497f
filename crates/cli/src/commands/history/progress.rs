//! How far long work is, once a second, for people alone.

use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::time::{Instant as Later, interval_at};
use twinwright_history::progress::{Progress as Told, Stage, Standing};

use crate::output::Output;

const EVERY: Duration = Duration::from_secs(1);

/// Work that counts what it has done.
pub(in crate::commands) struct Progress {
    output: Output,
    what: &'static str,
    last: Instant,
    count: u64,
}

impl Progress {
    pub(in crate::commands) fn new(output: Output, what: &'static str) -> Self {
        Self { output, what, last: Instant::now(), count: 0 }
    }

    pub(in crate::commands) fn add(&mut self, count: usize) {
        self.count += count as u64;
        if self.last.elapsed() >= EVERY && !self.output.is_json() {
            self.last = Instant::now();
            eprintln!("{} {}", self.count, self.what);
        }
    }
}

/// Waits for work of history that tells how far it is.
pub(super) async fn watched<T>(told: &Told, output: Output, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut tick = interval_at(Later::now() + EVERY, EVERY);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = tick.tick(), if !output.is_json() => {
                if let Some(line) = line(told.standing()) {
                    eprintln!("{line}");
                }
            }
        }
    }
}

fn line(Standing { stage, done, of }: Standing) -> Option<String> {
    // What is added while it works can be a little more than was planned.
    let share = (done * 100).checked_div(of)?.min(100);
    match stage {
        Stage::Looking => None,
        Stage::Reading => {
            Some(format!("{} of {} MB read ({share} %)", done / 1_000_000, of.div_ceil(1_000_000)))
        }
        Stage::Erasing => Some(format!("{done} of {of} segments searched ({share} %)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_done_of_what() {
        let line = |stage, done, of| line(Standing { stage, done, of });
        assert_eq!(line(Stage::Looking, 0, 0), None);
        assert_eq!(line(Stage::Reading, 0, 0), None, "nothing to read is no news");
        assert_eq!(
            line(Stage::Reading, 412_600_000, 930_000_001).as_deref(),
            Some("412 of 931 MB read (44 %)")
        );
        assert_eq!(line(Stage::Erasing, 7, 9).as_deref(), Some("7 of 9 segments searched (77 %)"));
    }
}
