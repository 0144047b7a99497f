//! Volume under the precision-recall surface (Paparrizos and others, 2022): the area under precision and recall with
//! borders of events that fade over a tolerance, averaged over tolerances. It needs no limit and forgives an alarm
//! that is a little early or late.

use super::detection::stretches;

/// Limits tried.
const LIMITS: usize = 100;
/// Steps of the tolerance: each width from 0 to the widest would say the same at many times the cost.
const WIDTHS: usize = 7;

/// The volume, 0 to 1; NaN without events or without scores. Rows without a score count as 0.
pub fn volume(scores: &[f64], truth: &[bool], widest: usize) -> f64 {
    let events = stretches(truth);
    if events.is_empty() || scores.is_empty() {
        return f64::NAN;
    }
    let scores: Vec<f64> = scores.iter().map(|score| if score.is_nan() { 0.0 } else { *score }).collect();
    let mut sorted = scores.clone();
    sorted.sort_by(|left, right| right.total_cmp(left));
    let last = sorted.len() - 1;
    let limits: Vec<f64> = (0..LIMITS).map(|at| sorted[at * last / (LIMITS - 1)]).collect();
    let areas: Vec<f64> = (0..WIDTHS)
        .map(|step| area(&scores, truth, &events, &limits, widest * step / (WIDTHS - 1)))
        .collect();
    areas.iter().sum::<f64>() / areas.len() as f64
}

fn area(scores: &[f64], truth: &[bool], events: &[(usize, usize)], limits: &[f64], width: usize) -> f64 {
    let soft = fade(truth, events, width);
    let labelled: f64 = truth.iter().filter(|truth| **truth).count() as f64;
    let regions = stretches(&soft.iter().map(|value| *value > 0.0).collect::<Vec<_>>());
    let all: f64 = soft.iter().sum();
    let (mut area, mut recall_before) = (0.0, 0.0);
    for limit in limits {
        let called = |row: usize| scores[row] >= *limit;
        let rows = scores.iter().filter(|score| **score >= *limit).count() as f64;
        let hits: f64 = (0..scores.len()).filter(|row| called(*row)).map(|row| soft[row]).sum();
        let met = regions.iter().filter(|(from, to)| (*from..*to).any(called)).count() as f64;
        let recall = (hits / f64::midpoint(labelled, all)).min(1.0) * met / regions.len() as f64;
        area += (recall - recall_before).max(0.0) * hits / rows.max(1.0);
        recall_before = recall;
    }
    area
}

/// Labels of 1 within events that fade towards half the width outside of them.
fn fade(truth: &[bool], events: &[(usize, usize)], width: usize) -> Vec<f64> {
    let mut soft: Vec<f64> = truth.iter().map(|truth| f64::from(u8::from(*truth))).collect();
    let reach = width / 2;
    for &(from, to) in events {
        for distance in 1..=reach {
            let value = (1.0 - distance as f64 / width as f64).sqrt();
            let rows = [from.checked_sub(distance), Some(to - 1 + distance).filter(|row| *row < truth.len())];
            for row in rows.into_iter().flatten() {
                soft[row] = (soft[row] + value).min(1.0);
            }
        }
    }
    soft
}

#[cfg(test)]
mod tests {
    use super::volume;

    #[test]
    fn a_perfect_score_is_near_one_and_its_opposite_near_the_share() {
        let truth: Vec<bool> = (0..400).map(|row| (200..300).contains(&row)).collect();
        let perfect: Vec<f64> = truth.iter().map(|truth| f64::from(u8::from(*truth))).collect();
        let wrong: Vec<f64> = perfect.iter().map(|score| 1.0 - score).collect();
        assert!(volume(&perfect, &truth, 60) > 0.85);
        assert!(volume(&wrong, &truth, 60) < 0.4);
        assert!(volume(&[], &[], 60).is_nan());
    }
}
