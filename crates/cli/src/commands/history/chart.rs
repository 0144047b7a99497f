//! A series in the terminal: the mean as a line of dots, the span from least to greatest as its shade.

use twinwright_history::compact::Summary;

const HEIGHT: usize = 14;
const WIDTH: usize = 100;

/// Joins neighbours until there are as many as columns.
pub(super) fn joined(summaries: &[Summary], columns: usize) -> Vec<Summary> {
    let width = summaries.len().div_ceil(columns.max(1)).max(1);
    let join = |part: &[Summary]| {
        part.iter().fold(Summary::EMPTY, |mut all, next| {
            if next.count > 0 {
                all.merge(next);
            }
            all
        })
    };
    summaries.chunks(width).map(join).collect()
}

/// Least and greatest of all; a flat line has a little room.
pub(super) fn bounds(summaries: &[Summary]) -> (f64, f64) {
    let there = || summaries.iter().filter(|summary| summary.count > 0);
    let low = there().map(|summary| summary.min).fold(f64::INFINITY, f64::min);
    let high = there().map(|summary| summary.max).fold(f64::NEG_INFINITY, f64::max);
    if high > low { (low, high) } else { (low - 0.5, high + 0.5) }
}

/// The row of a value, from below.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "clamped to the height"
)]
pub(super) fn level(value: f64, (low, high): (f64, f64), height: usize) -> usize {
    let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
    (share * (height - 1) as f64).round() as usize
}

/// The chart, with its scale and ends.
pub(super) fn chart(summaries: &[Summary], first: &str, last: &str) -> String {
    let columns = joined(summaries, WIDTH);
    let bounds = bounds(&columns);
    let label = |row: usize| match row {
        0 => format!("{:.4}", bounds.0),
        row if row == HEIGHT - 1 => format!("{:.4}", bounds.1),
        _ => String::new(),
    };
    let margin = label(0).len().max(label(HEIGHT - 1).len());
    let mut text = String::new();
    for row in (0..HEIGHT).rev() {
        text.push_str(&format!("{:>margin$} │", label(row)));
        let line: String = columns
            .iter()
            .map(|summary| match summary.mean() {
                None => ' ',
                Some(mean) if level(mean, bounds, HEIGHT) == row => '●',
                Some(_)
                    if (level(summary.min, bounds, HEIGHT)..=level(summary.max, bounds, HEIGHT))
                        .contains(&row) =>
                {
                    '░'
                }
                Some(_) => ' ',
            })
            .collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let room = columns.len().saturating_sub(first.len());
    text.push_str(&format!(
        "{:>margin$} └{}\n{:>margin$}  {first} {last:>room$}",
        "",
        "─".repeat(columns.len()),
        ""
    ));
    text
}
