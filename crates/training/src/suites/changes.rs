//! Change points by the rule of the SKAB board, which is NAB's: within a window to the right of each point the
//! first detection earns by how early it is, each other detection costs a little, a point without one costs.

/// Weights of a profile.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// What a false detection costs.
    pub false_alarm: f64,
    /// What a missed point costs.
    pub miss: f64,
}

/// Standard, few false positives, few false negatives.
pub const PROFILES: [(&str, Profile); 3] = [
    ("standard", Profile { false_alarm: 0.11, miss: 1.0 }),
    ("low false positives", Profile { false_alarm: 0.22, miss: 1.0 }),
    ("low false negatives", Profile { false_alarm: 0.11, miss: 2.0 }),
];

/// NAB's weight of a position: -1 is a window's beginning, 0 its end, above 0 behind it.
pub(crate) fn weight(position: f64) -> f64 {
    if position > 3.0 { -1.0 } else { 2.0 / (1.0 + (5.0 * position).exp()) - 1.0 }
}

/// Sum of what detections earned, and how many change points there are.
pub fn score(detected: &[bool], changes: &[bool], window_rows: usize, profile: Profile) -> (f64, f64) {
    let window = window_rows.max(1);
    let mut open: Option<(usize, bool)> = None;
    let (mut sum, mut points) = (0.0, 0.0);
    for row in 0..detected.len() {
        if let Some((from, found)) = open
            && row > from + window
        {
            sum -= if found { 0.0 } else { profile.miss };
            open = None;
        }
        if changes[row] {
            if let Some((_, false)) = open {
                sum -= profile.miss;
            }
            points += 1.0;
            open = Some((row, false));
        }
        if detected[row] {
            match &mut open {
                Some((from, found)) => {
                    if !*found {
                        let position = (row - *from) as f64 / window as f64 - 1.0;
                        sum += weight(position) / weight(-1.0);
                        *found = true;
                    }
                }
                None => sum -= profile.false_alarm,
            }
        }
    }
    if let Some((_, false)) = open {
        sum -= profile.miss;
    }
    (sum, points)
}

/// 0 for a detector that says nothing, 100 for one that finds each point at once.
pub fn normalised(sum: f64, points: f64, profile: Profile) -> f64 {
    100.0 * (sum + profile.miss * points) / (points * (1.0 + profile.miss)).max(1e-9)
}

/// Rows at which a 0/1 output changes.
pub fn switches(alarm: &[bool]) -> Vec<bool> {
    let mut before = false;
    alarm.iter().map(|alarm| std::mem::replace(&mut before, *alarm) != *alarm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perfect_is_a_hundred_and_silence_nothing() {
        let changes: Vec<bool> = (0..500).map(|row| row == 100 || row == 300).collect();
        for (_, profile) in PROFILES {
            let of = |detected: &[bool]| {
                let (sum, points) = score(detected, &changes, 60, profile);
                normalised(sum, points, profile)
            };
            assert!((of(&changes) - 100.0).abs() < 1e-9);
            assert!(of(&[false; 500]).abs() < 1e-9);
            let late: Vec<bool> = (0..500).map(|row| row == 150 || row == 350).collect();
            assert!(of(&late) < 100.0 && of(&late) > 0.0);
        }
        assert_eq!(switches(&[false, true, true, false]), [false, true, false, true]);
    }
}
