//! Bad rows are refused with the reason, and the baseline in force stays to the byte.

use twinwright_core::time::SECOND;
use twinwright_history::store::Store;

use super::*;
use crate::testing::runtime;

const MODEL: &str = "pump";
const NOW: Micros = 1_760_000_000_000_000;

/// Rows of four pumps in turn; `value` is told device, row and signal.
fn rows(count: i64, value: impl Fn(u32, i64, &str) -> f64) -> Readings {
    let signals = ["temperature", "pressure"].map(str::to_owned).to_vec();
    let mut readings = Readings { signals, ..Readings::default() };
    for row in 0..count {
        let device = u32::try_from(row % 4).unwrap();
        readings.push(device, NOW + row * SECOND, |name| Some(value(device, row, name)));
    }
    readings
}

fn sound(_: u32, row: i64, name: &str) -> f64 {
    let wobble = (row * 7919 % 13) as f64 * 0.05 + (row * 104_729 % 17) as f64 * 0.02;
    if name == "temperature" { 45.0 + wobble } else { 3.0 - wobble / 3.0 }
}

#[test]
fn each_kind_of_bad_rows_is_refused_and_changes_nothing() {
    runtime().block_on(async {
        let store = Store::memory();
        let mut good = rows(4_000, sound);
        let first = fit_and_promote(&store, MODEL, &mut good, Declared::default(), NOW).await.unwrap();
        assert_eq!(first.promoted, Some(1), "{first}");
        let before = baselines(&store, MODEL).latest().await.unwrap().unwrap();

        let mut repeated = rows(4_000, sound);
        repeated.time.iter_mut().for_each(|time| *time = NOW + (*time - NOW) / (400 * SECOND));
        let fahrenheit = |device: u32, row: i64, name: &str| {
            let value = sound(device, row, name);
            if device == 2 && name == "temperature" { value * 1.8 + 32.0 } else { value }
        };
        let bad = [
            ("no signal ever changes", rows(4_000, |_, _, _| 7.0)),
            ("all values are missing", rows(4_000, |_, _, _| f64::NAN)),
            ("3", rows(3, sound)),
            ("no rows", rows(0, sound)),
            ("repeat the time", repeated),
            ("other units", rows(4_000, fahrenheit)),
        ];
        let kinds = bad.len();
        for (reason, mut readings) in bad {
            let refused =
                fit_and_promote(&store, MODEL, &mut readings, Declared::default(), NOW).await.unwrap_err();
            assert!(refused.to_string().contains(reason), "{reason}: {refused}");
            assert_eq!(baselines(&store, MODEL).latest().await.unwrap().unwrap(), before, "{reason}");
            let (_, run) = records::all(&store, MODEL).await.unwrap().pop().unwrap();
            assert!(run.promoted.is_none() && run.reason.contains(reason), "{run:?}");
        }
        assert_eq!(records::all(&store, MODEL).await.unwrap().len(), 1 + kinds);
    });
}
