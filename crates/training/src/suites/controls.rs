//! Detectors that know nothing: what a figure is worth shows beside theirs.

use super::bootstrap::Draw;

/// Random controls of a suite.
pub const RANDOM: u64 = 5;

/// Alarms of `rows` rows for each control, by name: never, always, at random in every tenth row (five seeds), and a
/// clock that turns on and off each `clock_rows`.
pub fn alarms(rows: usize, clock_rows: usize, seed: u64) -> Vec<(String, Vec<bool>)> {
    let mut controls = vec![
        ("control: never".to_owned(), vec![false; rows]),
        ("control: always".to_owned(), vec![true; rows]),
    ];
    for number in 1..=RANDOM {
        let mut draw = Draw(seed.wrapping_mul(31).wrapping_add(number));
        let alarm = (0..rows).map(|_| draw.unit() < 0.1).collect();
        controls.push((format!("control: random {number}"), alarm));
    }
    let clock = clock_rows.max(1);
    controls.push((
        format!("control: clock of {clock} rows"),
        (0..rows).map(|row| row / clock % 2 == 1).collect(),
    ));
    controls
}
