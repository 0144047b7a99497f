//! A back-test as one HTML page, without scripts or outside files: figures, the scores' distributions, the alerts in time.

use std::fmt::Write as _;

use twinwright_app::scorers::backtest::{Difference, Outcome, RaisedAlert};
use twinwright_core::time::iso;
use twinwright_training::suites::page::{document, escape};

use super::{Told, us_per_row};

const COLOURS: [&str; 2] = ["#1f6feb", "#9a6700"];
const WIDTH: f64 = 900.0;
/// Devices with alerts that are drawn.
const MOST_DEVICES: usize = 60;

pub(super) fn html(told: &Told<'_>, difference: &Difference) -> String {
    let mut body = format!(
        "<p>{} from {} to {}. The candidate is <b style=\"color:{}\">{}</b>, beside <b style=\"color:{}\">{}</b>.</p>",
        escape(told.model),
        iso(told.from),
        iso(told.to),
        COLOURS[0],
        escape(told.ids[0]),
        COLOURS[1],
        escape(told.ids[1]),
    );
    body.push_str(
        "<table><tr><th>scorer</th><th>rows</th><th>scored</th><th>above limit</th><th>alerts</th>\
         <th>failed calls</th><th>µs a row</th></tr>",
    );
    for (id, outcome) in told.ids.iter().zip(told.outcomes) {
        let _ = write!(
            body,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.2}</td></tr>",
            escape(id),
            outcome.rows,
            outcome.scored,
            outcome.above,
            outcome.alerts.len(),
            outcome.failed,
            us_per_row(outcome)
        );
    }
    let _ = write!(
        body,
        "</table><p>Population stability index {:.3} (above 0.25 is a major shift), Kolmogorov–Smirnov {:.3} \
         (chance: {:.3}).</p><h2>Scores</h2>{}<h2>Alerts in time</h2>{}",
        difference.psi,
        difference.ks.0,
        difference.ks.1,
        distributions(told.outcomes),
        timeline(told),
    );
    for (title, alerts) in [("Alerts gained", &difference.gained), ("Alerts lost", &difference.lost)] {
        body.push_str(&list(title, alerts));
    }
    document("Back-test", &body)
}

/// Two bars a bin, as high as the root of its share, so that the few high scores are seen.
fn distributions(outcomes: [&Outcome; 2]) -> String {
    let bins: Vec<Vec<(f64, f64)>> =
        outcomes.iter().map(|outcome| outcome.scores.shares().collect()).collect();
    let count = bins[0].len();
    let step = WIDTH / count as f64;
    let mut svg =
        format!("<svg viewBox=\"0 0 {WIDTH} 190\" role=\"img\" aria-label=\"distribution of scores\">");
    for (side, (bins, colour)) in bins.iter().zip(COLOURS).enumerate() {
        for (at, (from, share)) in bins.iter().enumerate() {
            let high = share.sqrt() * 150.0;
            let left = at as f64 * step + 4.0 + side as f64 * (step - 8.0) / 2.0;
            let _ = write!(
                svg,
                "<rect x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{high:.1}\" fill=\"{colour}\">\
                 <title>from {from}: {:.2} %</title></rect>",
                160.0 - high,
                (step - 10.0) / 2.0,
                share * 100.0
            );
        }
    }
    for (at, (from, _)) in bins[0].iter().enumerate() {
        let _ =
            write!(svg, "<text x=\"{:.1}\" y=\"178\" font-size=\"11\">{from}</text>", at as f64 * step + 2.0);
    }
    svg + "</svg><p>Each bar begins at the score below it; heights are roots of shares. 1 is the limit.</p>"
}

/// A line a device: the candidate's alerts above it, the other's below.
fn timeline(told: &Told<'_>) -> String {
    let alerts = || told.outcomes.iter().flat_map(|outcome| &outcome.alerts);
    let mut devices: Vec<&str> = alerts().map(|alert| alert.device.as_str()).collect();
    devices.sort_unstable();
    devices.dedup();
    let all = devices.len();
    devices.truncate(MOST_DEVICES);
    if devices.is_empty() {
        return "<p>Neither raised an alert.</p>".to_owned();
    }
    let (first, last) = alerts()
        .fold((i64::MAX, i64::MIN), |(first, last), alert| (first.min(alert.from), last.max(alert.to)));
    let span = (last - first).max(1) as f64;
    let place = |time: i64| 170.0 + (time - first) as f64 / span * (WIDTH - 180.0);
    let high = devices.len() as f64 * 22.0 + 24.0;
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {high}\" role=\"img\" aria-label=\"alerts in time\">");
    for (line, device) in devices.iter().enumerate() {
        let top = line as f64 * 22.0;
        let _ =
            write!(svg, "<text x=\"0\" y=\"{:.0}\" font-size=\"12\">{}</text>", top + 14.0, escape(device));
        for (side, (outcome, colour)) in told.outcomes.iter().zip(COLOURS).enumerate() {
            for alert in outcome.alerts.iter().filter(|alert| alert.device == *device) {
                let (from, to) = (place(alert.from), place(alert.to));
                let _ = write!(
                    svg,
                    "<rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"8\" fill=\"{colour}\">\
                     <title>{} to {}, peak {:.2}</title></rect>",
                    top + 2.0 + side as f64 * 9.0,
                    (to - from).max(2.0),
                    iso(alert.from),
                    iso(alert.to),
                    alert.peak
                );
            }
        }
    }
    let _ = write!(
        svg,
        "<text x=\"170\" y=\"{0:.0}\" font-size=\"11\">{1}</text>\
         <text x=\"{WIDTH}\" y=\"{0:.0}\" font-size=\"11\" text-anchor=\"end\">{2}</text></svg>",
        high - 6.0,
        iso(first),
        iso(last)
    );
    if all > MOST_DEVICES {
        let _ = write!(svg, "<p>{MOST_DEVICES} of {all} devices are drawn.</p>");
    }
    svg
}

fn list(title: &str, alerts: &[RaisedAlert]) -> String {
    let mut text = format!("<h2>{title}: {}</h2>", alerts.len());
    if alerts.is_empty() {
        return text;
    }
    text.push_str("<table><tr><th>device</th><th>from</th><th>to</th><th>peak</th></tr>");
    for alert in alerts.iter().take(500) {
        let _ = write!(
            text,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{:.2}</td></tr>",
            escape(&alert.device),
            iso(alert.from),
            iso(alert.to),
            alert.peak
        );
    }
    text + "</table>"
}
