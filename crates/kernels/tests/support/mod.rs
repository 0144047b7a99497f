//! A baseline of two regimes and rows for it.

#![allow(dead_code, reason = "each test file uses its part")]

use std::ops::Range;

use twinwright_kernels::baseline::{Component, Mixture, PrincipalChart, RangeChart, Regime, TrainingWindow};
use twinwright_kernels::{Answer, Baseline, Batch, Kernel};

pub(crate) const SIGNALS: usize = 3;

pub(crate) fn regime(centre: f64, weight: f64) -> Regime {
    Regime {
        centre: vec![centre],
        scale: vec![10.0],
        weight,
        mean: vec![centre, 5.0, -2.0],
        deviation: vec![3.0, 0.5, 1.0],
        precision: vec![6.0, 1.0, 0.5, 1.0, 8.0, -2.0, 0.5, -2.0, 5.0],
        ewma_deviation: vec![0.3, 0.4, 0.5],
        components: vec![2.0, 0.4, 0.1, 0.3, 2.5, -0.6, 0.2, -0.7, 2.0],
    }
}

/// Two ways of running, at speeds of about 0 and 100.
pub(crate) fn mixture() -> Mixture {
    let component = |weight: f64, speed: f64| Component {
        weight,
        mean: vec![speed, 0.0, 0.0],
        precision: vec![60.0, 1.0, 0.5, 1.0, 8.0, -2.0, 0.5, -2.0, 5.0],
    };
    Mixture {
        alpha: 0.25,
        mean: vec![30.0, 5.0, -2.0],
        deviation: vec![45.0, 0.5, 1.0],
        components: vec![component(0.7, -30.0 / 45.0), component(0.3, 70.0 / 45.0)],
    }
}

pub(crate) fn baseline() -> Baseline {
    Baseline {
        format: 1,
        id: "pump/1".to_owned(),
        equipment: "pump".to_owned(),
        created: "2025-01-01T00:00:00Z".to_owned(),
        window: TrainingWindow::default(),
        data_hash: "aa".to_owned(),
        signals: ["speed", "pressure", "flow"].map(str::to_owned).to_vec(),
        scorers: vec![],
        settings: vec!["speed".to_owned()],
        regimes: vec![regime(0.0, 0.7), regime(100.0, 0.3)],
        window_rows: 8,
        ewma_alpha: 0.2,
        gap_reset_seconds: 60.0,
        slow_alpha: Vec::new(),
        range: Some(RangeChart { mean_rows: 4, spread_rows: 6, memory_rows: 100, record_rows: 5 }),
        principal: Some(PrincipalChart { alpha: 0.3, retained: 2 }),
        mixture: Some(mixture()),
        limits: [
            ("smoothed-mahalanobis".to_owned(), 4.0),
            ("ewma-chart".to_owned(), 3.0),
            ("pca-t2q".to_owned(), 5.0),
            ("gaussian-mixture".to_owned(), 3.0),
            ("range-extension".to_owned(), 0.5),
        ]
        .into(),
        metrics: Default::default(),
        note: String::new(),
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    pub(crate) device: Vec<u32>,
    pub(crate) time: Vec<i64>,
    pub(crate) values: Vec<f64>,
    pub(crate) mask: Vec<u8>,
}

pub(crate) fn steady(count: usize, value: [f64; SIGNALS]) -> Rows {
    Rows {
        device: vec![0; count],
        time: (0..count as i64).map(|row| row * 1_000_000).collect(),
        values: value.repeat(count),
        mask: vec![0; count * SIGNALS],
    }
}

impl Rows {
    /// A part of the rows as a batch.
    pub(crate) fn batch<'a>(
        &'a self,
        rows: Range<usize>,
        state: &'a [u8],
        state_ends: &'a [u32],
    ) -> Batch<'a> {
        let cells = rows.start * SIGNALS..rows.end * SIGNALS;
        Batch {
            signals: SIGNALS,
            device: &self.device[rows.clone()],
            time: &self.time[rows],
            values: &self.values[cells.clone()],
            mask: &self.mask[cells],
            state,
            state_ends,
        }
    }
}

/// A kernel of a name, prepared anew for each batch: nothing may hide in it.
pub(crate) type Score = fn(&Baseline, &Batch<'_>) -> Answer;

pub(crate) fn fresh<K: Kernel>(baseline: &Baseline, batch: &Batch<'_>) -> Answer {
    K::new(baseline).unwrap().score(batch).unwrap()
}

/// Runs rows in batches that end at the cuts.
pub(crate) fn run(score: Score, baseline: &Baseline, rows: &Rows, devices: usize, cuts: &[usize]) -> Answer {
    let mut all = Answer::default();
    let (mut state, mut ends) = (Vec::new(), vec![0; devices]);
    let mut from = 0;
    for &to in cuts.iter().chain([&rows.time.len()]) {
        let to = to.clamp(from, rows.time.len());
        let answer = score(baseline, &rows.batch(from..to, &state, &ends));
        all.scores.extend(answer.scores);
        all.status.extend(answer.status);
        all.contributions.extend(answer.contributions);
        (state, ends) = (answer.state, answer.state_ends);
        from = to;
    }
    (all.state, all.state_ends) = (state, ends);
    all
}
