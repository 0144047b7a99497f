//! The handler's standard output and error: lines of bounded length become log events.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use crate::events::{Events, LogLevel};

/// Longer lines are cut.
const MAX_LINE: usize = 16 * 1024;
/// How many lines of standard error go into the message about an exit.
const KEPT: usize = 3;

/// The last lines of standard error.
#[derive(Debug, Clone, Default)]
pub(super) struct LastWords(Arc<Mutex<VecDeque<String>>>);

impl LastWords {
    fn push(&self, line: &str) {
        let mut lines = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line.to_owned());
    }

    pub(super) fn joined(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        lines.iter().cloned().collect::<Vec<_>>().join(" | ")
    }
}

pub(super) async fn read_stdout(stream: impl AsyncRead + Unpin, events: Events) {
    lines(stream, |line| events.log(LogLevel::Information, None, line)).await;
}

pub(super) async fn read_stderr(stream: impl AsyncRead + Unpin, events: Events, last: LastWords) {
    lines(stream, |line| {
        last.push(line);
        let warning = line.to_ascii_lowercase().contains("warn");
        events.log(if warning { LogLevel::Warning } else { LogLevel::Error }, None, line);
    })
    .await;
}

async fn lines(stream: impl AsyncRead + Unpin, mut each: impl FnMut(&str)) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        let (used, ends) = match reader.fill_buf().await {
            Ok(buffer) if !buffer.is_empty() => {
                let end = buffer.iter().position(|byte| *byte == b'\n');
                let part = &buffer[..end.unwrap_or(buffer.len())];
                let room = MAX_LINE.saturating_sub(line.len());
                line.extend_from_slice(&part[..part.len().min(room)]);
                (end.map_or(buffer.len(), |end| end + 1), end.is_some())
            }
            _ => break,
        };
        reader.consume(used);
        if ends {
            give(&mut line, &mut each);
        }
    }
    if !line.is_empty() {
        give(&mut line, &mut each);
    }
}

fn give(line: &mut Vec<u8>, each: &mut impl FnMut(&str)) {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end();
    if !text.is_empty() {
        each(text);
    }
    line.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_cut_and_the_last_may_lack_its_end() {
        let text = format!("a\r\n\n{}\nend", "x".repeat(3 * MAX_LINE));
        let mut found = Vec::new();
        lines(text.as_bytes(), |line| found.push(line.to_owned())).await;
        assert_eq!(found.iter().map(String::len).collect::<Vec<_>>(), [1, MAX_LINE, 3]);
    }
}
