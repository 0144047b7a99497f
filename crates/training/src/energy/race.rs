//! Which learners forecast: chosen anew every day, on the days that have been forecast and lived already.

use super::series::{Day, SLOTS};

/// The learners, in the order of a day's forecasts.
pub const LEARNERS: [&str; 3] = ["boosted trees", "ridge regression", "randomised trees"];
/// Days of forecasts before anything is chosen; until then the mean of all forecasts.
const DAYS: usize = 28;
/// All learners together.
const ALL: Mix = Mix((1 << LEARNERS.len()) - 1);

/// Some of the learners; the mean of theirs is the forecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix(u8);

impl Mix {
    /// Whether a learner is in it.
    pub fn has(self, learner: usize) -> bool {
        (self.0 >> learner) & 1 == 1
    }

    /// Their names.
    pub fn names(self) -> String {
        let names = LEARNERS.iter().enumerate().filter(|(at, _)| self.has(*at)).map(|(_, name)| *name);
        names.collect::<Vec<_>>().join(" and ")
    }

    /// The mean of its learners' forecasts of a day.
    pub(super) fn of(self, forecasts: &[Vec<f64>]) -> Vec<f64> {
        let ours = || forecasts.iter().enumerate().filter(|(at, _)| self.has(*at));
        let count = ours().count() as f64;
        (0..SLOTS).map(|slot| (ours().map(|(_, day)| day[slot]).sum::<f64>() / count).max(0.0)).collect()
    }
}

/// Squared errors of every mix so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Race {
    squares: [f64; ALL.0 as usize],
    days: usize,
}

impl Race {
    /// Takes in what came of a day's forecasts.
    pub(super) fn see(&mut self, forecasts: &[Vec<f64>], day: &Day) {
        self.days += 1;
        for (mix, squares) in (1..).map(Mix).zip(&mut self.squares) {
            let pairs = mix.of(forecasts).into_iter().zip(&day.load);
            let errors = pairs.map(|(forecast, truth)| forecast - truth).filter(|error| error.is_finite());
            *squares += errors.map(|error| error * error).sum::<f64>();
        }
    }

    /// The mix with the smallest error so far.
    pub(super) fn best(&self) -> Mix {
        if self.days < DAYS {
            return ALL;
        }
        let mixes = (1..).map(Mix).zip(&self.squares);
        mixes.min_by(|a, b| a.1.total_cmp(b.1)).map_or(ALL, |(mix, _)| mix)
    }
}

#[cfg(test)]
mod tests {
    use super::super::series::Calendar;
    use super::*;

    #[test]
    fn the_learner_that_was_right_is_chosen_after_some_days() {
        let day = Day { calendar: Calendar::default(), load: vec![10.0; SLOTS] };
        let forecasts = [vec![14.0; SLOTS], vec![7.0; SLOTS], vec![10.0; SLOTS]];
        let mut race = Race::default();
        assert_eq!(race.best(), ALL);
        (0..DAYS).for_each(|_| race.see(&forecasts, &day));
        assert_eq!(race.best().names(), "randomised trees");
        assert_eq!(race.best().of(&forecasts), vec![10.0; SLOTS]);
        assert_eq!(ALL.of(&[vec![9.0; SLOTS], vec![6.0; SLOTS], vec![3.0; SLOTS]]), vec![6.0; SLOTS]);
    }
}
