//! Properties of every kernel that its callers rely on: a sound answer to any rows, the same one however the rows
//! are cut into batches, and state that was damaged on the way counts as none or as a sound one.

#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use proptest::prelude::*;
use proptest::sample::Index;
use support::{Rows, SIGNALS, Score, baseline, fresh, run};
use twinwright_kernels::baseline::TrainingWindow;
use twinwright_kernels::forest::{Linear, Predictor};
use twinwright_kernels::life::{Bands, FORMAT, KIND, LEVELS, LifeModel, LifeRegime, Unit};
use twinwright_kernels::{
    Answer, Baseline, EwmaChart, GaussianMixture, PcaT2Q, RangeExtension, RemainingLife, SmoothedMahalanobis,
    status,
};

const KERNELS: [Score; 7] = [
    fresh::<SmoothedMahalanobis>,
    fresh::<GaussianMixture>,
    fresh::<EwmaChart>,
    |baseline, batch| {
        let wandering = Baseline { slow_alpha: vec![0.0, 0.05, 0.2], ..baseline.clone() };
        fresh::<EwmaChart>(&wandering, batch)
    },
    fresh::<PcaT2Q>,
    fresh::<RangeExtension>,
    |baseline, batch| RemainingLife::new(life(baseline)).unwrap().score(batch).unwrap(),
];

/// A model of life of the same signals: what remains falls with their means and with age.
fn life(baseline: &Baseline) -> LifeModel {
    let used = vec![0, 2];
    let regimes = baseline.regimes.iter().map(|regime| LifeRegime {
        centre: regime.centre.clone(),
        scale: regime.scale.clone(),
        mean: regime.mean.clone(),
        deviation: regime.deviation.clone(),
    });
    let weight = vec![-3.0, 1.0, -2.0, 0.5, -4.0, 0.0, 2.0, -1.0, -9.0];
    LifeModel {
        kind: KIND.to_owned(),
        format: FORMAT,
        id: "pump/1".to_owned(),
        equipment: "pump".to_owned(),
        created: "2025-01-01T00:00:00Z".to_owned(),
        window: TrainingWindow::default(),
        data_hash: "aa".to_owned(),
        code_version: "1".to_owned(),
        signals: baseline.signals.clone(),
        settings: baseline.settings.clone(),
        regimes: regimes.collect(),
        window_rows: 6,
        start_rows: 4,
        warm_rows: 5,
        new_run_gap_seconds: 60.0,
        unit: Unit::Cycles,
        cap: 125.0,
        limit: 10.0,
        predictor: Predictor::Linear(Linear {
            intercept: 60.0,
            mean: vec![0.0; weight.len()],
            scale: vec![1.0; weight.len()],
            weight,
            clip: 8.0,
        }),
        bands: Bands { borders: Vec::new(), quantiles: vec![vec![0.0; LEVELS.len()]] },
        used,
        metrics: Default::default(),
        note: String::new(),
    }
}

fn rows() -> impl Strategy<Value = Rows> {
    let value = prop_oneof![
        8 => -20.0..120.0_f64,
        1 => any::<f64>(),
        1 => extreme(),
        1 => Just(f64::NAN),
    ];
    let row = (
        0..3_u32,
        prop_oneof![29 => 0..5_i64, 1 => -200..200_i64],
        [value.clone(), value.clone(), value],
        0..9_u8,
    );
    prop::collection::vec(row, 0..120).prop_map(|list| {
        let mut rows = Rows::default();
        let mut time = 0;
        for (device, step, values, mask) in list {
            time += step * 1_000_000;
            rows.device.push(device);
            rows.time.push(time);
            rows.values.extend(values);
            rows.mask.extend([u8::from(mask & 1 != 0), u8::from(mask & 2 != 0), u8::from(mask & 4 != 0)]);
        }
        rows
    })
}

fn check_contract(answer: &Answer, rows: usize) -> Result<(), TestCaseError> {
    prop_assert_eq!(answer.scores.len(), rows);
    for (row, (&score, &row_status)) in answer.scores.iter().zip(&answer.status).enumerate() {
        prop_assert!(score.is_finite() && score >= 0.0);
        let contributions = &answer.contributions[row * SIGNALS..(row + 1) * SIGNALS];
        prop_assert!(contributions.iter().all(|value| value.is_finite() && *value >= 0.0));
        let sum: f64 = contributions.iter().sum();
        prop_assert!((sum - score).abs() <= 1e-9 * score.max(1.0), "{sum} is not {score}");
        prop_assert!(row_status == status::OK || score == 0.0);
    }
    Ok(())
}

/// Numbers that overflow what they are added to or multiplied by.
fn extreme() -> impl Strategy<Value = f64> {
    prop::sample::select(vec![f64::MAX, f64::MIN, 1e300, -1e200, 1e18, 1e-300, f64::INFINITY, -0.0])
}

/// Damage of a blob: bytes, whole numbers, its end.
#[derive(Clone, Debug)]
struct Damage {
    bytes: Vec<(Index, u8)>,
    numbers: Vec<(Index, f64)>,
    cut: Option<Index>,
}

fn damage() -> impl Strategy<Value = Damage> {
    let bytes = prop::collection::vec((any::<Index>(), any::<u8>()), 0..8);
    let numbers = prop::collection::vec((any::<Index>(), prop_oneof![extreme(), any::<f64>()]), 0..4);
    (bytes, numbers, prop::option::weighted(0.1, any::<Index>())).prop_map(|(bytes, numbers, cut)| Damage {
        bytes,
        numbers,
        cut,
    })
}

impl Damage {
    fn apply(&self, blob: &mut Vec<u8>) {
        for (at, byte) in &self.bytes {
            let at = at.index(blob.len());
            blob[at] = *byte;
        }
        for (at, number) in &self.numbers {
            // Blobs end with numbers, so whole ones are hit when counted from the end.
            let at = blob.len() - 8 * (1 + at.index(blob.len() / 8));
            blob[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        if let Some(cut) = &self.cut {
            blob.truncate(cut.index(blob.len()));
        }
    }
}

proptest! {
    #[test]
    fn batch_borders_change_not_a_bit(rows in rows(), mut cuts in prop::collection::vec(0..120_usize, 0..6)) {
        cuts.sort_unstable();
        for score in KERNELS {
            let whole = run(score, &baseline(), &rows, 3, &[]);
            check_contract(&whole, rows.time.len())?;
            prop_assert_eq!(&run(score, &baseline(), &rows, 3, &cuts), &whole);
        }
    }

    #[test]
    fn garbled_state_is_no_state_or_a_sound_one(rows in rows(), at in any::<Index>(), damage in damage()) {
        let at = at.index(rows.time.len() + 1);
        let (before, after) = (0..at, at..rows.time.len());
        for score in KERNELS {
            let mut known = score(&baseline(), &rows.batch(before.clone(), &[], &[0; 3]));
            if known.state.len() < 8 {
                continue;
            }
            damage.apply(&mut known.state);
            let answer = score(&baseline(), &rows.batch(after.clone(), &known.state, &known.state_ends));
            check_contract(&answer, after.len())?;
        }
    }
}
