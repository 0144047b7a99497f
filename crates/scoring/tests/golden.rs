//! Golden cases: computed independently of the kernels, met by the native scorers and through WebAssembly alike.

#![allow(missing_docs)]

mod common;

use twinwright_core::scoring::{Scored, Scorer};
use twinwright_kernels::{
    EwmaChart, GaussianMixture, PcaT2Q, RangeExtension, RemainingLife, ScorerKernel, SmoothedMahalanobis,
};
use twinwright_scoring::{NativeScorer, StandIn};

fn near(left: &[f64], right: &[f64]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).all(|(l, r)| (l - r).abs() <= 1e-9 * l.abs().max(r.abs()).max(1.0))
}

fn check(name: &str, got: &Scored, expected: &common::Expected) {
    assert_eq!(got.status, expected.status, "{name}");
    assert!(near(&got.scores, &expected.scores), "{name}: {:?}", got.scores);
    assert!(near(&got.contributions, &expected.contributions), "{name}: {:?}", got.contributions);
}

fn both<K: ScorerKernel + Send>(scorer: &str) {
    let loaded = common::load(scorer);
    assert_eq!(loaded.descriptor().name, K::NAME);
    assert_eq!(loaded.id(), format!("{scorer}@1.0.0"));
    for (name, case) in common::golden(scorer) {
        let baseline = case.baseline.get().as_bytes();
        let mut native = NativeScorer::<K>::new(baseline).expect("baseline");
        let whole = common::play(&mut native, &case.batch, usize::MAX);
        check(&name, &whole, &case.expected);
        let mut guest = loaded.instantiate(baseline).expect("baseline");
        assert_eq!(guest.id(), loaded.id());
        for piece in [1, 7, usize::MAX] {
            let answer = common::play(&mut guest, &case.batch, piece);
            check(&name, &answer, &case.expected);
            assert_eq!(answer.state.ends, whole.state.ends, "{name}: the state has the same size");
        }
    }
}

#[test]
fn ewma_chart_meets_its_golden_cases() {
    both::<EwmaChart>("ewma-chart");
}

#[test]
fn smoothed_mahalanobis_meets_its_golden_cases() {
    both::<SmoothedMahalanobis>("smoothed-mahalanobis");
}

#[test]
fn pca_t2q_meets_its_golden_cases() {
    both::<PcaT2Q>("pca-t2q");
}

#[test]
fn range_extension_meets_its_golden_cases() {
    both::<RangeExtension>("range-extension");
}

#[test]
fn gaussian_mixture_meets_its_golden_cases() {
    both::<GaussianMixture>("gaussian-mixture");
}

#[test]
fn remaining_life_meets_its_golden_cases() {
    both::<RemainingLife>("remaining-life");
}

#[test]
fn the_stand_in_reads_the_same_baselines() {
    let (_, case) = common::golden("ewma-chart").remove(0);
    let mut stand_in = StandIn::new(case.baseline.get().as_bytes()).expect("baseline");
    assert!(stand_in.id().starts_with("built-in-ewma-chart@"), "{}", stand_in.id());
    check("stand-in", &common::play(&mut stand_in, &case.batch, 5), &case.expected);
}
