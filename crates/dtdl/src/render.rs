//! Errors as a compiler shows them.

use crate::error::ModelError;
use crate::source::Location;

/// Longest piece of a line that is shown, in characters.
const WIDEST: usize = 160;

pub(crate) fn render(error: &ModelError, source_name: &str, text: &str) -> String {
    let mut out = format!("error[{}]: {}\n", error.short_code(), error.message);
    if let Some(at) = &error.at {
        let margin = at.line.to_string().len();
        let edge = " ".repeat(margin);
        out.push_str(&format!("{edge}--> {source_name}:{}:{}\n", at.line, at.column));
        if let Some((line, before, width)) = excerpt(at, text) {
            out.push_str(&format!("{edge} |\n{} | {line}\n", at.line));
            out.push_str(&format!("{edge} | {}{}\n", " ".repeat(before), "^".repeat(width)));
        }
        if let Some(also) =
            error.also.as_ref().filter(|also| also.source == at.source && also.line != at.line)
        {
            out.push_str(&format!("{edge} = see also line {}\n", also.line));
        } else if let Some(also) = error.also.as_ref().filter(|also| also.source != at.source) {
            out.push_str(&format!("{edge} = see also {}:{}\n", also.source, also.line));
        }
        let place = if error.path.is_empty() { String::new() } else { format!(" at {}", error.path) };
        out.push_str(&format!("{edge} = in {}{place}\n", error.model));
        out.push_str(&format!("{edge} = help: {}\n", error.hint));
    } else {
        out.push_str(&format!(" = in {}\n = help: {}\n", error.model, error.hint));
    }
    out
}

/// The line of a place, with what stands before the place and how wide the place is, in characters.
fn excerpt(at: &Location, text: &str) -> Option<(String, usize, usize)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let before = text.get(..at.start)?;
    let start = before.rfind('\n').map_or(0, |index| index + 1);
    let rest = text.get(at.start..)?;
    let line = text[start..].lines().next().unwrap_or_default();
    let column = text[start..at.start].chars().count();
    let width = token(rest).clamp(1, WIDEST);
    // Tabs take one place, so that the mark stands right; a long line is cut around the place.
    let skip = column.saturating_sub(WIDEST / 2);
    let shown: String = line
        .chars()
        .skip(skip)
        .take(WIDEST)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    let width = width.min(shown.chars().count().saturating_sub(column - skip).max(1));
    Some((shown, column - skip, width))
}

/// Length of the token at the start of a text, in characters.
fn token(text: &str) -> usize {
    let mut letters = text.chars();
    match letters.next() {
        Some('"') => {
            let mut escaped = false;
            let inner = letters.take_while(|letter| {
                let ends = *letter == '\n' || (*letter == '"' && !escaped);
                escaped = *letter == '\\' && !escaped;
                !ends
            });
            inner.count() + 2
        }
        Some(first) if first.is_alphanumeric() || first == '-' => {
            1 + letters
                .take_while(|letter| letter.is_alphanumeric() || matches!(letter, '.' | '+' | '-'))
                .count()
        }
        _ => 1,
    }
}
