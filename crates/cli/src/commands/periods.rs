//! `maintenance` and `label`: times that training leaves out.

use twinwright_app::train::periods::{self, Period, PeriodKind};
use twinwright_history::store::Store;

use crate::args::{DataOption, LabelCommand, MaintenanceCommand, PeriodOptions};
use crate::connection::Connection;
use crate::output::{Output, clean, table};

/// Runs `maintenance`.
///
/// # Errors
/// The times are no period, or storage cannot be reached.
pub async fn maintenance(command: MaintenanceCommand, output: Output) -> anyhow::Result<()> {
    match command {
        MaintenanceCommand::Add { period, what } => add(period, PeriodKind::Maintenance, what, output).await,
        MaintenanceCommand::List(data) => list(&data, PeriodKind::Maintenance, output).await,
    }
}

/// Runs `label`.
///
/// # Errors
/// As [`maintenance`].
pub async fn label(command: LabelCommand, output: Output) -> anyhow::Result<()> {
    match command {
        LabelCommand::Add { period, kind } => add(period, PeriodKind::Label, kind, output).await,
        LabelCommand::List(data) => list(&data, PeriodKind::Label, output).await,
    }
}

async fn add(options: PeriodOptions, kind: PeriodKind, what: String, output: Output) -> anyhow::Result<()> {
    let store = Store::from_url(&Connection::load(&options.data.data)?.storage_url)?;
    let (from, to, by) = (options.from, options.to, options.by);
    let period = Period { kind, device: options.device, from, to, what, by };
    let number = periods::add(&store, &period).await?;
    output.result(&serde_json::json!({ "number": number, "period": period }), || {
        format!("period {number} of {} is left out of training from now on", clean(&period.device))
    });
    Ok(())
}

async fn list(data: &DataOption, kind: PeriodKind, output: Output) -> anyhow::Result<()> {
    let store = Store::from_url(&Connection::load(&data.data)?.storage_url)?;
    let mut periods = periods::all(&store).await?;
    periods.retain(|(_, period)| period.kind == kind);
    output.result(&periods, || {
        let row = |(number, period): &(u64, Period)| {
            let texts = [&period.device, &period.from, &period.to, &period.what, &period.by];
            std::iter::once(number.to_string()).chain(texts.map(|text| clean(text))).collect()
        };
        table(&["number", "device", "from", "to", "what", "by"], &periods.iter().map(row).collect::<Vec<_>>())
    });
    Ok(())
}
