//! Reports as one HTML page without scripts or outside files.

use std::fmt::Write as _;

use super::report::{Figure, Report, Table};

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;\
color:#1b1f24;background:#fff}table{border-collapse:collapse;margin:.6rem 0 1.4rem;font-variant-numeric:tabular-nums}\
th,td{padding:.25rem .7rem;border-bottom:1px solid #d8dee4;text-align:right}th:first-child,td:first-child\
{text-align:left}.missed{color:#b42318;font-weight:600}.kept{color:#7a5b00}.reached{color:#1a7f37}\
caption{text-align:left;font-weight:600;padding:.4rem 0}";

/// Text that may stand in a page.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The page.
pub fn html(reports: &[Report]) -> String {
    let mut page = String::new();
    for report in reports {
        let _ = write!(
            page,
            "<h2>{}</h2><p>{}. {} recordings, settings {}, {:.1} s.</p>",
            escape(&report.suite),
            escape(&report.about),
            report.recordings,
            escape(&report.settings_hash),
            report.seconds
        );
        page.push_str(&figures(&report.figures));
        report.tables.iter().for_each(|table| page.push_str(&self::table(table)));
        page.push_str("<ul>");
        report.notes.iter().for_each(|note| {
            let _ = write!(page, "<li>{}</li>", escape(note));
        });
        page.push_str("</ul>");
    }
    document("Quality, measured", &page)
}

/// A page with a title; the body is HTML already.
pub fn document(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <style>{STYLE}</style><h1>{title}</h1>{body}</html>\n"
    )
}

fn figures(figures: &[Figure]) -> String {
    let mut text =
        "<table><tr><th>figure</th><th>value</th><th>95 %</th><th>must</th><th>aim</th></tr>".to_owned();
    for figure in figures {
        let class = match (figure.must, figure.aim) {
            (_, Some(aim)) if aim.holds(figure.value) => "reached",
            (Some(must), _) if must.holds(figure.value) => "kept",
            (Some(_), _) => "missed",
            _ => "",
        };
        let interval = figure
            .low
            .zip(figure.high)
            .map_or_else(String::new, |(low, high)| format!("{low:.3} – {high:.3}"));
        let bound = |bound: Option<super::Bound>| bound.map_or_else(String::new, |bound| bound.to_string());
        let _ = write!(
            text,
            "<tr><td>{}</td><td class=\"{class}\">{:.3} {}</td><td>{interval}</td><td>{}</td><td>{}</td></tr>",
            escape(&figure.name),
            figure.value,
            escape(&figure.unit),
            bound(figure.must),
            bound(figure.aim)
        );
    }
    text.push_str("</table>");
    text
}

/// A table.
pub fn table(table: &Table) -> String {
    let mut text = format!("<table><caption>{}</caption><tr>", escape(&table.title));
    table.head.iter().for_each(|name| {
        let _ = write!(text, "<th>{}</th>", escape(name));
    });
    text.push_str("</tr>");
    for row in &table.rows {
        text.push_str("<tr>");
        row.iter().for_each(|cell| {
            let _ = write!(text, "<td>{}</td>", escape(cell));
        });
        text.push_str("</tr>");
    }
    text.push_str("</table>");
    text
}
