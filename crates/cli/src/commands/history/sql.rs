//! `sql`: views over the files for other people's engines; no engine is linked in.

use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde_json::json;
use twinwright_history::names::hub_part;

use crate::args::HistoryTarget;
use crate::output::Output;
use crate::platform::{TWIN_HISTORY, TWIN_TABLES};

pub(super) fn sql(target: &HistoryTarget, run: Option<&str>, output: Output) -> anyhow::Result<()> {
    let views = Views::of(&target.url()?, &target.hub);
    let Some(query) = run else {
        let value = json!({ "duckdb": views.duckdb(), "spark": views.spark(), "adx": views.adx() });
        output.result(&value, || {
            format!(
                "-- DuckDB\n{}\n-- Spark, Fabric\n{}\n-- Azure Data Explorer\n{}",
                views.duckdb(),
                views.spark(),
                views.adx()
            )
        });
        return Ok(());
    };
    let mut command = Command::new("duckdb");
    if output.is_json() {
        command.arg("-json");
    }
    command.arg("-c").arg(format!("{}{query}", views.duckdb())).stdin(Stdio::null());
    let status = command.status().context(
        "duckdb cannot be started: install it from duckdb.org, or paste the views of `twinwright history sql` elsewhere",
    )?;
    if !status.success() {
        bail!("duckdb ended with {status}");
    }
    Ok(())
}

/// Where the files are, for each engine.
pub(super) struct Views {
    root: String,
    hub: String,
}

impl Views {
    pub(super) fn of(url: &str, hub: &str) -> Self {
        let root = match (url.strip_prefix("folder:"), url.strip_prefix("azure://")) {
            (Some(folder), _) => std::path::absolute(folder)
                .map_or_else(|_| folder.to_owned(), |path| path.display().to_string()),
            (_, Some(rest)) => match rest.split_once('/') {
                Some((account, container)) => format!("abfss://{container}@{account}.dfs.core.windows.net"),
                None => rest.to_owned(),
            },
            _ => url.to_owned(),
        };
        Self { root, hub: hub_part(hub) }
    }

    fn history(&self) -> String {
        format!("{}/history/v=1/hub={}", self.root, self.hub).replace('\'', "''")
    }

    fn roll_ups(&self, grain: &str) -> String {
        format!("{}/roll-ups/v=1/grain={grain}/hub={}", self.root, self.hub).replace('\'', "''")
    }

    /// A view for each table of the twins' data history that has files.
    fn twins(&self) -> String {
        let view = |table: &&str| {
            let folder = format!("{}/{TWIN_HISTORY}/v=1/table={table}", self.root);
            // An engine refuses a view over nothing; of a remote folder only the engine can tell.
            let there = self.root.contains("://") || std::path::Path::new(&folder).exists();
            let name = table.trim_start_matches("Adt");
            there.then(|| {
                format!(
                    "create or replace view {name} as select * from read_parquet('{}/*/*.parquet', hive_partitioning = true);\n",
                    folder.replace('\'', "''")
                )
            })
        };
        TWIN_TABLES.iter().filter_map(view).collect()
    }

    /// The Delta table is exact at every moment; the bare files have replaced ones beside the new for a day.
    pub(super) fn duckdb(&self) -> String {
        let roll_up = |name: &str, grain: &str| {
            format!(
                "create or replace view {name} as select * from read_parquet('{}/*/*.parquet', hive_partitioning = true);\n",
                self.roll_ups(grain)
            )
        };
        format!(
            "install delta; load delta; set TimeZone = 'UTC';\ncreate or replace view history as select * from delta_scan('{}');\n{}{}{}",
            self.history(),
            roll_up("history_minutes", "1m"),
            roll_up("history_hours", "1h"),
            self.twins()
        )
    }

    pub(super) fn spark(&self) -> String {
        format!(
            "CREATE OR REPLACE TEMPORARY VIEW history AS SELECT * FROM delta.`{}`;\n\
             CREATE OR REPLACE TEMPORARY VIEW history_hours AS SELECT * FROM parquet.`{}`;\n",
            self.history(),
            self.roll_ups("1h")
        )
    }

    pub(super) fn adx(&self) -> String {
        format!(
            ".create-or-alter external table history kind=delta (h@'{};impersonate')\n\
             external_table('history') | where date == '2026-03-04' | summarize count() by device_id\n",
            self.history()
        )
    }
}
