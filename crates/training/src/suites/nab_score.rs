//! NAB's scoring (Lavin and Ahmad, 2015, and the scorer of numenta/NAB): windows around labels, the earliest detection
//! in a window counts by how early it is, false ones by how far they are behind the last window.

use super::changes::{Profile, weight};

/// A recording's detections and windows (first and last row).
#[derive(Clone, Debug)]
pub(crate) struct Detections {
    pub(crate) rows: usize,
    pub(crate) probation: usize,
    pub(crate) detected: Vec<usize>,
    pub(crate) windows: Vec<(usize, usize)>,
}

/// What a detector earned, and the windows that could be hit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Earned {
    pub(crate) sum: f64,
    pub(crate) windows: f64,
    pub(crate) hit: f64,
    pub(crate) false_alarms: f64,
}

pub(crate) fn earned(detections: &Detections, profile: Profile) -> Earned {
    let windows: Vec<(usize, usize)> =
        detections.windows.iter().copied().filter(|(_, last)| *last >= detections.probation).collect();
    let mut best = vec![-profile.miss; windows.len()];
    let mut earned = Earned { windows: windows.len() as f64, ..Earned::default() };
    let counted = |row: &&usize| (detections.probation..detections.rows).contains(*row);
    for &row in detections.detected.iter().filter(counted) {
        if let Some(at) = windows.iter().position(|(first, last)| (*first..=*last).contains(&row)) {
            let (first, last) = windows[at];
            let width = (last - first + 1) as f64;
            let position = -((last - row + 1) as f64) / width;
            best[at] = best[at].max(weight(position) / weight(-1.0));
        } else {
            // Also windows within the probation count as behind: the detector may still be settling.
            let before =
                detections.windows.iter().filter(|(_, last)| *last < row).max_by_key(|(_, last)| *last);
            let cost = before
                .map_or(-1.0, |(first, last)| weight((row - last) as f64 / ((last - first).max(1)) as f64));
            earned.sum += cost * profile.false_alarm;
            earned.false_alarms += 1.0;
        }
    }
    earned.hit = best.iter().filter(|best| **best > -profile.miss).count() as f64;
    earned.sum += best.iter().sum::<f64>();
    earned
}

/// 0 for a detector that says nothing, 100 for one that finds each window at its first row and nothing else.
pub(crate) fn normalised<'a>(all: impl IntoIterator<Item = &'a Earned>, profile: Profile) -> f64 {
    let (sum, windows) =
        all.into_iter().fold((0.0, 0.0), |(sum, windows), one| (sum + one.sum, windows + one.windows));
    100.0 * (sum + profile.miss * windows) / (windows * (1.0 + profile.miss)).max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suites::changes::PROFILES;

    #[test]
    fn first_rows_of_windows_are_a_hundred_and_probation_is_not_scored() {
        let profile = PROFILES[0].1;
        let mut detections =
            Detections { rows: 1_000, probation: 150, detected: vec![10, 400], windows: vec![(400, 499)] };
        let perfect = earned(&detections, profile);
        assert!((normalised([&perfect], profile) - 100.0).abs() < 1e-9);
        detections.detected = vec![];
        assert!(normalised([&earned(&detections, profile)], profile).abs() < 1e-9);
        detections.detected = vec![200, 400];
        assert!((earned(&detections, profile).sum - (1.0 - 0.11)).abs() < 1e-9);
    }
}
