//! A training run as one page, without scripts or outside files: what was decided and why, the signals in each regime, the
//! thresholds, and how the asset has been scored.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use twinwright_core::policy::AlertPolicy;
use twinwright_core::time::{Micros, iso};
use twinwright_history::scores::ScoreRows;
use twinwright_kernels::Baseline;
use twinwright_training::suites::{Table, page};

use crate::output::clean;

/// Points of a curve.
const POINTS: usize = 300;
const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 220.0;
/// Scores above are drawn at the edge.
const MOST_SCORE: f64 = 4.0;
/// Devices that are drawn.
const MOST_DEVICES: usize = 12;
/// Scores from here on ask which signal leads.
const NOTABLE: f64 = 0.5;
const COLOURS: [&str; 6] = ["#1f6feb", "#9a6700", "#1a7f37", "#b42318", "#8250df", "#57606a"];

/// What the page shows beside the run's own lines.
pub(super) struct Report<'a> {
    /// What was decided, a line each.
    pub(super) lines: &'a [String],
    /// Figures and drift.
    pub(super) tables: &'a [&'a Table],
    /// The promoted baseline, or the one in force where the run was refused.
    pub(super) baseline: Option<&'a Baseline>,
    /// Alert rules of the equipment.
    pub(super) policy: &'a AlertPolicy,
    /// Each device's highest score of each half hour of the last day, as the live path gave it.
    pub(super) scores: &'a ScoreRows,
}

/// The page.
pub(super) fn html(report: &Report<'_>) -> String {
    let mut body: String = report.lines.iter().map(|line| format!("<p>{}</p>", page::escape(line))).collect();
    report.tables.iter().for_each(|table| body.push_str(&page::table(table)));
    if let Some(baseline) = report.baseline {
        for table in [signals(baseline), regimes(baseline), thresholds(baseline, report.policy)] {
            body.push_str(&page::table(&table));
        }
    }
    let _ = write!(body, "<h2>Scores over time</h2>{}", curves(report.scores));
    body.push_str(&page::table(&leading(report.scores)));
    page::document("Training run", &body)
}

/// Each signal's normal values, a column a regime.
fn signals(baseline: &Baseline) -> Table {
    let regimes = (1..=baseline.regimes.len()).map(|regime| format!("regime {regime}"));
    let head: Vec<String> = ["signal".to_owned()].into_iter().chain(regimes).collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let mut table = Table::new("Signals: mean ± deviation in each regime", &head);
    for (at, name) in baseline.signals.iter().enumerate() {
        let normal = |regime: &twinwright_kernels::baseline::Regime| {
            format!("{:.4} ± {:.4}", regime.mean[at], regime.deviation[at])
        };
        let row = std::iter::once(clean(name)).chain(baseline.regimes.iter().map(normal));
        table.rows.push(row.collect());
    }
    table
}

fn regimes(baseline: &Baseline) -> Table {
    let settings = baseline.settings.iter().map(|name| clean(name));
    let head: Vec<String> =
        ["regime".to_owned(), "share of rows".to_owned()].into_iter().chain(settings).collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let mut table = Table::new("Regimes: centre ± scale of each setting", &head);
    for (at, regime) in baseline.regimes.iter().enumerate() {
        let centres = regime.centre.iter().zip(&regime.scale);
        let centres = centres.map(|(centre, scale)| format!("{centre:.4} ± {scale:.4}"));
        let row =
            [(at + 1).to_string(), format!("{:.1} %", regime.weight * 100.0)].into_iter().chain(centres);
        table.rows.push(row.collect());
    }
    table
}

fn thresholds(baseline: &Baseline, policy: &AlertPolicy) -> Table {
    let mut table = Table::new("Thresholds", &["what", "value"]);
    let limit = |(scorer, limit): (&String, &f64)| {
        vec![format!("raw score of {scorer} at 1.0"), format!("{limit:.4}")]
    };
    table.rows.extend(baseline.limits.iter().map(limit));
    let rules = [
        ("an alert is raised above", format!("{} for {} rows", policy.limit, policy.on_delay_rows)),
        (
            "it is critical above",
            format!("{} for {} rows", policy.critical_limit, policy.critical_delay_rows),
        ),
        (
            "it clears below",
            format!("{:.2} for {} rows", policy.limit * policy.hysteresis, policy.off_delay_rows),
        ),
    ];
    table.rows.extend(rules.map(|(what, value)| vec![what.to_owned(), value]));
    table
}

/// The highest score of each device in each part of the time, and the limit.
fn curves(scores: &ScoreRows) -> String {
    let (Some(first), Some(last)) = (scores.time.iter().min(), scores.time.iter().max()) else {
        return "<p>There are no scores yet.</p>".to_owned();
    };
    let span = (last - first).max(1);
    let part = |time: Micros| ((time - first) as f64 / span as f64 * (POINTS - 1) as f64) as usize;
    let mut devices: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for row in 0..scores.rows() {
        let Some(device) = scores.device.get(row).filter(|_| scores.score[row].is_finite()) else { continue };
        let highest = devices.entry(device).or_insert_with(|| vec![f64::NAN; POINTS]);
        let highest = &mut highest[part(scores.time[row])];
        *highest = highest.max(scores.score[row]);
    }
    let level = |score: f64| HEIGHT - 20.0 - score.min(MOST_SCORE) / MOST_SCORE * (HEIGHT - 30.0);
    let mut svg =
        format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"scores over time\">");
    for (score, style) in [(0.0, "#d8dee4"), (1.0, "#b42318")] {
        let y = level(score);
        let _ = write!(svg, "<line x1=\"0\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"{style}\"/>");
    }
    let drawn = || devices.iter().take(MOST_DEVICES).zip(COLOURS.iter().cycle());
    for ((device, highest), colour) in drawn() {
        let mut path = String::new();
        let mut is_open = false;
        for (at, score) in highest.iter().enumerate() {
            if score.is_nan() {
                continue;
            }
            let x = at as f64 / (POINTS - 1) as f64 * WIDTH;
            let _ = write!(path, "{}{x:.1} {:.1}", if is_open { "L" } else { "M" }, level(*score));
            is_open = true;
        }
        let name = page::escape(device);
        let _ = write!(
            svg,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"><title>{name}</title></path>"
        );
    }
    let _ = write!(
        svg,
        "<text x=\"0\" y=\"{0}\" font-size=\"11\">{1}</text>\
         <text x=\"{WIDTH}\" y=\"{0}\" font-size=\"11\" text-anchor=\"end\">{2}</text></svg><p>",
        HEIGHT - 4.0,
        iso(*first),
        iso(*last)
    );
    for ((device, _), colour) in drawn() {
        let _ = write!(svg, "<span style=\"color:{colour}\">{}</span> ", page::escape(device));
    }
    let _ = write!(svg, "– the red line is the limit, 1.0; {} devices in all.</p>", devices.len());
    svg
}

/// Which signals led where scores were notable.
fn leading(scores: &ScoreRows) -> Table {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in (0..scores.rows()).filter(|row| scores.score[*row] >= NOTABLE) {
        if let Some(signal) = scores.top_signal.get(row) {
            *counts.entry(signal).or_default() += 1;
        }
    }
    let all: usize = counts.values().sum();
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut table = Table::new(
        "Contributions: the signal that led a device's highest score of half an hour, where above half the limit",
        &["signal", "times", "share"],
    );
    let row = |(signal, count): (&str, usize)| {
        vec![clean(signal), count.to_string(), format!("{:.1} %", count as f64 / all.max(1) as f64 * 100.0)]
    };
    table.rows = counts.into_iter().map(row).collect();
    table
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn scores(rows: usize) -> ScoreRows {
        let mut scores = ScoreRows::default();
        let (device, signal): (Arc<str>, Arc<str>) = ("<arm>".into(), "vibration".into());
        for row in 0..rows {
            scores.device.push(Some(&device));
            scores.time.push(row as i64 * 1_000_000);
            scores.sequence.push(row as i64);
            scores.score.push(row as f64 / 10.0);
            scores.top_signal.push(Some(&signal));
        }
        scores
    }

    #[test]
    fn a_page_shows_scores_over_time_and_which_signal_led() {
        let scores = scores(20);
        let curve = curves(&scores);
        assert!(
            curve.contains("<path d=\"M0.0 ") && curve.contains("&lt;arm&gt;") && !curve.contains("<arm>")
        );
        assert_eq!(leading(&scores).rows, [["vibration", "15", "100.0 %"]]);
        assert!(curves(&ScoreRows::default()).contains("no scores yet"));
    }

    #[test]
    fn a_page_names_regimes_and_thresholds() {
        let json = br#"{"format":1,"id":"arm/3","equipment":"arm","created":"","window":{"from":"","to":"","rows":9},
            "data_hash":"","signals":["speed","load"],"scorers":["ewma-chart"],"settings":["speed"],
            "limits":{"ewma-chart":4.5},"regimes":[
            {"weight":0.75,"centre":[10],"scale":[2],"mean":[10,1],"deviation":[2,0.5],"precision":[1,0,0,1],"ewma_deviation":[1,1]},
            {"weight":0.25,"centre":[90],"scale":[3],"mean":[90,7],"deviation":[3,1],"precision":[1,0,0,1],"ewma_deviation":[1,1]}]}"#;
        let baseline = Baseline::from_json(json).unwrap();
        let report = Report {
            lines: &["run 1 of arm: baseline 3 promoted".to_owned()],
            tables: &[],
            baseline: Some(&baseline),
            policy: &AlertPolicy::default(),
            scores: &scores(3),
        };
        let page = html(&report);
        for text in ["run 1 of arm", "7.0000 ± 1.0000", "75.0 %", "90.0000 ± 3.0000", "4.5000", "for 5 rows"]
        {
            assert!(page.contains(text), "{text}: {page}");
        }
    }
}
