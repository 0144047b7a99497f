//! Suites with the native kernels, for people at work on a kernel: `cargo run -p twinwright-training --example suites
//! -- skab FOLDER`. What counts is `twinwright evaluate`, which scores through WebAssembly.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a command-line tool for people at a desk")]

use twinwright_core::scoring::{ScoreBatch, Scored, Scorer, ScorerError, StateBlobs};
use twinwright_kernels::{
    Answer, Batch, BatchError, EwmaChart, GaussianMixture, PcaT2Q, RangeExtension, RemainingLife,
    ScorerKernel, SmoothedMahalanobis,
};
use twinwright_training::suites::{ScorerHost, Settings, SuiteError, find};

struct Native<K>(K);

impl<K: ScorerKernel + Send> Scorer for Native<K> {
    fn id(&self) -> &'static str {
        K::NAME
    }

    fn score(&mut self, batch: &ScoreBatch<'_>) -> Result<Scored, ScorerError> {
        let answer: Result<Answer, BatchError> = self.0.score(&Batch {
            signals: batch.signals,
            device: batch.device,
            time: batch.time,
            values: batch.values,
            mask: batch.mask,
            state: &batch.state.bytes,
            state_ends: &batch.state.ends,
        });
        let answer = answer.unwrap();
        Ok(Scored {
            scores: answer.scores,
            status: answer.status,
            contributions: answer.contributions,
            state: StateBlobs { bytes: answer.state, ends: answer.state_ends },
        })
    }
}

struct Kernels;

impl ScorerHost for Kernels {
    fn prepare(&mut self, scorer: &str, json: &[u8]) -> Result<Box<dyn Scorer>, SuiteError> {
        fn of<K: ScorerKernel + Send + 'static>(json: &[u8]) -> Box<dyn Scorer> {
            Box::new(Native(K::prepare(json).unwrap()))
        }
        Ok(match scorer {
            EwmaChart::NAME => of::<EwmaChart>(json),
            SmoothedMahalanobis::NAME => of::<SmoothedMahalanobis>(json),
            PcaT2Q::NAME => of::<PcaT2Q>(json),
            GaussianMixture::NAME => of::<GaussianMixture>(json),
            RangeExtension::NAME => of::<RangeExtension>(json),
            RemainingLife::NAME => of::<RemainingLife>(json),
            other => panic!("no kernel {other}"),
        })
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let suite = find(&arguments[0]).unwrap();
    let report = suite.run(arguments[1].as_ref(), &Settings::frozen().unwrap(), &mut Kernels).unwrap();
    report.figures.iter().for_each(|figure| println!("{}", figure.line()));
    for table in &report.tables {
        println!("\n{}\n{}", table.title, table.head.join(" | "));
        table.rows.iter().for_each(|row| println!("{}", row.join(" | ")));
    }
    report.notes.iter().for_each(|note| println!("- {note}"));
}
