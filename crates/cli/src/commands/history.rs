//! `history`: what is stored, asked without a running platform.

mod chart;
mod jobs;
mod picture;
mod progress;
mod query;
mod replay;
mod sql;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use anyhow::Context as _;
use twinwright_app::clock::now;
use twinwright_core::time::{Micros, SECOND, parse_iso};
use twinwright_history::reader::{History, RowQuery};
use twinwright_history::store::Store;

use crate::args::{HistoryCommand, HistoryTarget, Span};
use crate::connection::{Connection, FILE};
use crate::output::Output;

pub(super) use self::progress::Progress;

/// Runs `history`.
///
/// # Errors
/// Storage cannot be read, or what was asked cannot be done; the message says what to do.
pub async fn history(command: HistoryCommand, output: Output) -> anyhow::Result<()> {
    match command {
        HistoryCommand::Status { target } => query::status(&target, output).await,
        HistoryCommand::Query { span, limit, target } => query::rows(&target, &span, limit, output).await,
        HistoryCommand::Series { device, signal, from, to, interval, png, target } => {
            let wanted = query::Wanted { device, signal, from, to, interval };
            query::series(&target, wanted, png.as_deref(), output).await
        }
        HistoryCommand::Export { out, format, span, target } => {
            jobs::export(&target, &span, &out, format, output).await
        }
        HistoryCommand::Import(options) => jobs::import(&options, output).await,
        HistoryCommand::Compact { all, keep_days, target } => {
            jobs::compact(&target, all, keep_days, output).await
        }
        HistoryCommand::Erase { device, before, yes, target } => {
            jobs::erase(&target, &device, before, yes, output).await
        }
        HistoryCommand::Replay { span, speed, into, target } => {
            replay::replay(&target, &span, speed, into, output).await
        }
        HistoryCommand::Verify { target } => jobs::verify(&target, output).await,
        HistoryCommand::Sql { run, target } => sql::sql(&target, run.as_deref(), output),
    }
}

impl HistoryTarget {
    /// `storage.url`: the one that is named, that of the running platform, or the folder that a platform left.
    pub(super) fn url(&self) -> anyhow::Result<String> {
        if let Some(url) = &self.storage {
            return Ok(url.clone());
        }
        if self.data.join(FILE).is_file() {
            return Ok(Connection::load(&self.data)?.storage_url);
        }
        let folder = self.data.join("storage");
        anyhow::ensure!(
            folder.is_dir(),
            "there is no history in {}: name the platform's folder with --data, or the storage with --storage",
            self.data.display()
        );
        Ok(format!("folder:{}", folder.display()))
    }

    pub(super) fn store(&self) -> anyhow::Result<Store> {
        let url = self.url()?;
        Store::from_url(&url).with_context(|| format!("cannot open storage {url}"))
    }

    pub(super) fn history(&self) -> anyhow::Result<History> {
        Ok(History::new(self.store()?, self.hub.as_str()))
    }
}

impl Span {
    pub(super) fn query(&self) -> anyhow::Result<RowQuery> {
        anyhow::ensure!(self.from < self.to, "--from must be before --to");
        let set = |names: &[String]| {
            (!names.is_empty()).then(|| names.iter().cloned().collect::<BTreeSet<String>>())
        };
        Ok(RowQuery { from: self.from, to: self.to, devices: set(&self.device), columns: set(&self.signal) })
    }
}

/// A time as people write it.
///
/// # Errors
/// What it may look like.
pub fn history_time(text: &str) -> Result<Micros, String> {
    if text == "now" {
        // What is stamped this very moment counts.
        return Ok(now() + 1);
    }
    let padded = format!("{text}T00:00:00Z");
    parse_iso(text)
        .or_else(|| parse_iso(&padded))
        .or_else(|| history_span(text).ok().map(|span| now() - span))
        .ok_or_else(|| {
            "write a time as in 2026-03-04T05:06:07Z or 2026-03-04, or back from now as in 6h or 7d"
                .to_owned()
        })
}

/// A duration as people write it, in microseconds.
///
/// # Errors
/// What it may look like.
pub fn history_span(text: &str) -> Result<Micros, String> {
    let hint = || "write a duration as in 10s, 1m, 6h, 7d or PT1M".to_owned();
    let wide = twinwright_timeseries::interval::parse(text);
    let letter = text.chars().last().ok_or_else(hint)?;
    let unit = match letter {
        's' => SECOND,
        'm' => 60 * SECOND,
        'h' => 3_600 * SECOND,
        'd' => 86_400 * SECOND,
        'w' => 604_800 * SECOND,
        _ => return wide.filter(|span| *span > 0).ok_or_else(hint),
    };
    let count: i64 = text[..text.len() - 1].parse().map_err(|_| hint())?;
    count.checked_mul(unit).filter(|span| *span > 0).ok_or_else(hint)
}

/// `10x`, or `max`.
///
/// # Errors
/// What it may look like.
pub fn history_speed(text: &str) -> Result<f64, String> {
    if text == "max" {
        return Ok(f64::INFINITY);
    }
    let number = text.trim_end_matches('x').parse::<f64>().ok();
    number.filter(|speed| *speed > 0.0).ok_or_else(|| "write a speed as in 1x, 10x or max".to_owned())
}
