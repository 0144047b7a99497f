//! What rows must be like before anything is learnt from them. Bad data are refused with the reason; nothing is mended
//! in silence.

use std::collections::BTreeMap;

use crate::statistics::{median, quantile};
use crate::{Matrix, TrainError};

/// Share of rows that may repeat another row's device and time.
const REPEATED: f64 = 0.01;
/// A device's typical value this many spreads of the cohort away, and by a factor of [`OTHER_UNIT`], is of another unit.
const FAR_OFF: f64 = 8.0;
/// Celsius against Fahrenheit is about 2 at 40 °C, bar against psi 14.5: below 1.5 it is another machine, not a unit.
const OTHER_UNIT: f64 = 1.5;
/// Devices from which on a cohort can outvote one of them.
const COHORT: usize = 3;

/// Checks rows of one equipment model.
///
/// # Errors
/// [`TrainError::Refused`] with the first gate that is not passed: no rows, no values at all, no signal that moves,
/// repeated time stamps, a device whose signal is in other units than that of its cohort.
pub fn gates(signals: &[String], rows: &Matrix<'_>) -> Result<(), TrainError> {
    let width = signals.len();
    let ordered = rows.ordered(width)?;
    let refused = |reason: String| Err(TrainError::Refused { reason });
    if ordered.rows() == 0 {
        return refused("there are no rows; record normal operation first".to_owned());
    }
    if ordered.values.iter().all(|value| value.is_nan()) {
        return refused("all values are missing; look at the sensors or at their quality rules".to_owned());
    }
    let moves = |signal: usize| {
        let mut values = ordered.column(signal).filter(|value| value.is_finite());
        values.next().is_some_and(|first| values.any(|value| value != first))
    };
    if !(0..width).any(moves) {
        return refused("no signal ever changes; a machine that stands still teaches nothing".to_owned());
    }
    let mut pairs: Vec<(u32, i64)> =
        ordered.device.iter().copied().zip(ordered.time.iter().copied()).collect();
    pairs.sort_unstable();
    let repeated = pairs.windows(2).filter(|pair| pair[0] == pair[1]).count();
    if repeated as f64 > REPEATED * ordered.rows() as f64 {
        return refused(format!(
            "{repeated} of {} rows repeat the time of another row of their device; look for a device that sends twice",
            ordered.rows()
        ));
    }
    for (signal, name) in signals.iter().enumerate() {
        if let Some((device, typical, cohort)) = other_unit(&ordered.device, ordered.column(signal)) {
            return refused(format!(
                "device {device} (in the order of appearance by number) has {name} at about {typical:.3}, its cohort at \
                 {cohort:.3}: other units? declare its unit or leave the device out"
            ));
        }
    }
    Ok(())
}

/// The first device whose median of a signal is of another unit than the others': its number, its median, theirs.
fn other_unit(devices: &[u32], values: impl Iterator<Item = f64>) -> Option<(u32, f64, f64)> {
    let mut of_device: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for (device, value) in devices.iter().zip(values).filter(|(_, value)| value.is_finite()) {
        of_device.entry(*device).or_default().push(value);
    }
    if of_device.len() < COHORT {
        return None;
    }
    let typical: Vec<(u32, f64, f64)> = of_device
        .into_iter()
        .filter_map(|(device, mut values)| {
            let middle = median(&mut values)?;
            let spread = quantile(&mut values, 0.75)? - quantile(&mut values, 0.25)?;
            Some((device, middle, spread))
        })
        .collect();
    typical.iter().find_map(|&(device, own, _)| {
        let others = || typical.iter().filter(move |(other, _, _)| *other != device);
        let centre = median(&mut others().map(|(_, middle, _)| *middle).collect())?;
        let spread = median(&mut others().map(|(_, _, spread)| *spread).collect())?.max(centre.abs() * 1e-3);
        let ratio = (own / centre).abs();
        let scaled = !(1.0 / OTHER_UNIT..=OTHER_UNIT).contains(&ratio);
        ((own - centre).abs() > FAR_OFF * spread && scaled).then_some((device, own, centre))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(device: &[u32], time: &[i64], values: &[f64]) -> String {
        let rows = Matrix { device, time, values };
        gates(&["temperature".to_owned()], &rows)
            .map_or_else(|error| error.to_string(), |()| "sound".to_owned())
    }

    #[test]
    fn each_kind_of_bad_rows_has_its_reason() {
        let time: Vec<i64> = (0..400).collect();
        let one = vec![0; 400];
        let wave: Vec<f64> = (0..400).map(|row| 40.0 + f64::from(row % 7)).collect();
        assert_eq!(check(&one, &time, &wave), "sound");
        assert!(check(&[], &[], &[]).contains("no rows"));
        assert!(check(&one, &time, &[f64::NAN; 400]).contains("all values are missing"));
        assert!(check(&one, &time, &[7.0; 400]).contains("no signal ever changes"));
        assert!(check(&one, &[5; 400], &wave).contains("repeat the time"));
        let four: Vec<u32> = (0..400).map(|row| row % 4).collect();
        assert_eq!(check(&four, &time, &wave), "sound");
        let fahrenheit: Vec<f64> =
            wave.iter().zip(&four).map(|(v, d)| if *d == 2 { v * 1.8 + 32.0 } else { *v }).collect();
        assert!(
            check(&four, &time, &fahrenheit).contains("other units"),
            "{}",
            check(&four, &time, &fahrenheit)
        );
    }
}
