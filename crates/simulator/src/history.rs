//! Rows without faults, to fit a baseline on.

use crate::equipment::Kind;
use crate::error::Error;
use crate::machine::Machine;
use crate::reading::{Reading, iso_time};
use std::io::Write;

/// Time of the first row of a history: 2026-01-05T06:00:00 UTC, a Monday's early shift.
pub const HISTORY_START_US: i64 = 1_767_592_800_000_000;

/// Rows of one healthy machine, `period_us` apart, from [`HISTORY_START_US`].
///
/// The ambient passes through its whole daily cycle within the rows, however short they are: a baseline of one
/// cool hour would take every afternoon for a fault. For a plant with a time scale, give the period times that scale.
#[must_use]
pub fn healthy_history(kind: Kind, seed: u64, rows: usize, period_us: i64) -> Vec<Reading> {
    let period = period_us.max(1);
    let device_id = format!("{}-healthy", kind.name());
    let seconds = (rows as f64 * period as f64 * 1e-6).clamp(1.0, crate::body::DAY_SECONDS);
    let mut machine = Machine::new(kind, &device_id, seed).with_day(seconds);
    let mut time_us = HISTORY_START_US;
    (0..rows)
        .map(|_| {
            let reading = machine.step(time_us);
            time_us = time_us.saturating_add(period);
            reading
        })
        .collect()
}

/// Writes readings of one kind as CSV: `timestamp`, the signals, `operationalStatus`, `fault`, `severity`. A value
/// that was not sent is an empty field.
///
/// # Errors
/// [`Error::Write`] when the target takes no more.
pub fn write_csv<'a>(
    target: &mut impl Write,
    kind: Kind,
    readings: impl IntoIterator<Item = &'a Reading>,
) -> Result<(), Error> {
    write!(target, "timestamp")?;
    for signal in kind.signals() {
        write!(target, ",{}", signal.name)?;
    }
    writeln!(target, ",operationalStatus,fault,severity")?;
    for reading in readings {
        write!(target, "{}Z", iso_time(reading.time_us))?;
        for signal in kind.signals() {
            match reading.signal(signal.name) {
                Some(value) => write!(target, ",{value:?}")?,
                None => write!(target, ",")?,
            }
        }
        let state = reading.states.first().map_or("", |(_, text)| *text);
        match reading.label {
            Some(label) => writeln!(target, ",{state},{},{:.4}", label.fault.name(), label.severity)?,
            None => writeln!(target, ",{state},,0")?,
        }
    }
    Ok(())
}
