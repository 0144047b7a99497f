//! Rows and events: what was called abnormal against what was.

/// A recording's outcome: alarm and truth a row, from the first row that counts.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Whether a case was open.
    pub alarm: Vec<bool>,
    /// Whether the row is abnormal.
    pub truth: Vec<bool>,
    /// Seconds between rows.
    pub interval: f64,
    /// Whether the first counted row continues an event that began before it.
    pub begun_before: bool,
}

/// Counts that add up over recordings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Abnormal rows called abnormal.
    pub found: f64,
    /// Normal rows called abnormal.
    pub false_alarms: f64,
    /// Abnormal rows called normal.
    pub missed: f64,
    /// Normal rows called normal.
    pub quiet: f64,
    /// Events that began while rows counted, and of those how many an alarm met.
    pub events: f64,
    /// See `events`.
    pub events_found: f64,
    /// Events that began in the training rows, and of those how many an alarm met.
    pub old_events: f64,
    /// See `old_events`.
    pub old_events_found: f64,
    /// Alarms that met no event.
    pub false_episodes: f64,
    /// Seconds of normal rows.
    pub normal_seconds: f64,
    /// Seconds from the beginning of each found event to its alarm.
    pub delays: Vec<f64>,
}

impl Outcome {
    /// Counts of this recording.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (&alarm, &truth) in self.alarm.iter().zip(&self.truth) {
            let cell = match (alarm, truth) {
                (true, true) => &mut counts.found,
                (true, false) => &mut counts.false_alarms,
                (false, true) => &mut counts.missed,
                (false, false) => &mut counts.quiet,
            };
            *cell += 1.0;
        }
        counts.normal_seconds = (counts.false_alarms + counts.quiet) * self.interval;
        for (from, to) in stretches(&self.truth) {
            let met = self.alarm[from..to].iter().position(|alarm| *alarm);
            let found = f64::from(u8::from(met.is_some()));
            if from == 0 && self.begun_before {
                counts.old_events += 1.0;
                counts.old_events_found += found;
            } else {
                counts.events += 1.0;
                counts.events_found += found;
                counts.delays.extend(met.map(|rows| rows as f64 * self.interval));
            }
        }
        let outside = |(from, to): &(usize, usize)| !self.truth[*from..*to].iter().any(|truth| *truth);
        counts.false_episodes =
            stretches(&self.alarm).iter().filter(|stretch| outside(stretch)).count() as f64;
        counts
    }
}

/// Stretches of true, from and up to.
pub fn stretches(flags: &[bool]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut from = None;
    for (at, &flag) in flags.iter().chain(std::iter::once(&false)).enumerate() {
        match (flag, from) {
            (true, None) => from = Some(at),
            (false, Some(start)) => {
                found.push((start, at));
                from = None;
            }
            _ => {}
        }
    }
    found
}

impl Counts {
    /// The sum of recordings.
    pub fn sum<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        all.into_iter().fold(Self::default(), |mut sum, one| {
            sum.found += one.found;
            sum.false_alarms += one.false_alarms;
            sum.missed += one.missed;
            sum.quiet += one.quiet;
            sum.events += one.events;
            sum.events_found += one.events_found;
            sum.old_events += one.old_events;
            sum.old_events_found += one.old_events_found;
            sum.false_episodes += one.false_episodes;
            sum.normal_seconds += one.normal_seconds;
            sum.delays.extend_from_slice(&one.delays);
            sum
        })
    }

    /// F1 over rows.
    pub fn f1(&self) -> f64 {
        2.0 * self.found / (2.0 * self.found + self.false_alarms + self.missed).max(1.0)
    }

    /// Share of the normal rows called abnormal.
    pub fn far(&self) -> f64 {
        self.false_alarms / (self.false_alarms + self.quiet).max(1.0)
    }

    /// Share of the abnormal rows called normal.
    pub fn mar(&self) -> f64 {
        self.missed / (self.missed + self.found).max(1.0)
    }

    /// Matthews' correlation; 0 where a margin is empty.
    pub fn mcc(&self) -> f64 {
        let (tp, fp, miss, tn) = (self.found, self.false_alarms, self.missed, self.quiet);
        let margins = (tp + fp) * (tp + miss) * (tn + fp) * (tn + miss);
        if margins > 0.0 { (tp * tn - fp * miss) / margins.sqrt() } else { 0.0 }
    }

    /// Share of the events found, of those that began while rows counted.
    pub fn event_share(&self) -> f64 {
        self.events_found / self.events.max(1.0)
    }

    /// False episodes in 1,000 seconds of normal rows.
    pub fn false_episodes_per_1000_s(&self) -> f64 {
        1_000.0 * self.false_episodes / self.normal_seconds.max(1e-9)
    }

    /// False episodes a day of normal rows.
    pub fn false_episodes_per_day(&self) -> f64 {
        86.4 * self.false_episodes_per_1000_s()
    }

    /// Median and 90th percentile of the delays, seconds; NaN without any.
    pub fn delay(&self) -> (f64, f64) {
        let mut delays = self.delays.clone();
        delays.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let last = delays.len().saturating_sub(1) as f64;
            delays.get((share * last).round() as usize).copied().unwrap_or(f64::NAN)
        };
        (at(0.5), at(0.9))
    }

    /// Cells of a comparison: F1, FAR, MAR, MCC, events, false episodes a day, median delay.
    pub fn cells(&self) -> Vec<String> {
        let events = self.events + self.old_events;
        let found = self.events_found + self.old_events_found;
        vec![
            format!("{:.3}", self.f1()),
            format!("{:.1} %", 100.0 * self.far()),
            format!("{:.1} %", 100.0 * self.mar()),
            format!("{:.3}", self.mcc()),
            format!("{found:.0}/{events:.0}"),
            format!("{:.1}", self.false_episodes_per_day()),
            if self.delays.is_empty() { "–".to_owned() } else { format!("{:.0} s", self.delay().0) },
        ]
    }
}

/// The head over [`Counts::cells`].
pub const CELLS: [&str; 7] =
    ["F1", "FAR", "MAR", "MCC", "events", "false episodes/asset-day", "median delay"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_events_are_counted() {
        let flags = |text: &str| text.bytes().map(|byte| byte == b'1').collect::<Vec<bool>>();
        let outcome = Outcome {
            alarm: flags("0110000110"),
            truth: flags("1100011110"),
            interval: 2.0,
            begun_before: true,
        };
        let counts = outcome.counts();
        assert_eq!((counts.found, counts.false_alarms, counts.missed, counts.quiet), (3.0, 1.0, 3.0, 3.0));
        assert_eq!((counts.events, counts.events_found, counts.delays), (1.0, 1.0, vec![4.0]));
        assert_eq!((counts.old_events, counts.old_events_found, counts.false_episodes), (1.0, 1.0, 0.0));
        assert_eq!(counts.normal_seconds, 8.0);
    }
}
