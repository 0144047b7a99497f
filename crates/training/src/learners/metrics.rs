//! Figures of predictions, and how sure they are.

/// Root of the mean squared error; NaN without rows.
pub fn rmse(prediction: &[f64], truth: &[f64]) -> f64 {
    let squared: f64 = prediction.iter().zip(truth).map(|(p, t)| (p - t) * (p - t)).sum();
    (squared / prediction.len() as f64).sqrt()
}

/// Area under the ROC curve: the chance that an event is ranked above a non-event, ties counting half. NaN where
/// one of the two is missing.
pub fn auc(score: &[f64], event: &[bool]) -> f64 {
    let mut order: Vec<usize> = (0..score.len()).collect();
    order.sort_by(|&a, &b| score[a].total_cmp(&score[b]));
    let (mut rank_sum, mut at) = (0.0, 0);
    while at < order.len() {
        let mut end = at + 1;
        while end < order.len() && score[order[end]] == score[order[at]] {
            end += 1;
        }
        let rank = (at + 1 + end) as f64 / 2.0;
        rank_sum += rank * order[at..end].iter().filter(|row| event[**row]).count() as f64;
        at = end;
    }
    let events = event.iter().filter(|event| **event).count() as f64;
    let others = event.len() as f64 - events;
    (rank_sum - events * (events + 1.0) / 2.0) / (events * others)
}

/// Share of events among the `budget` rows with the highest score (at least one row).
pub fn precision_at(score: &[f64], event: &[bool], budget: usize) -> f64 {
    let order = ranked(score);
    let budget = budget.clamp(1, order.len().max(1));
    order.iter().take(budget).filter(|row| event[**row]).count() as f64 / budget as f64
}

/// Area under the precision-recall curve, as the mean precision at each event; NaN without events.
pub fn average_precision(score: &[f64], event: &[bool]) -> f64 {
    let (mut found, mut sum) = (0.0, 0.0);
    for (place, row) in ranked(score).into_iter().enumerate() {
        if event[row] {
            found += 1.0;
            sum += found / (place + 1) as f64;
        }
    }
    sum / found
}

/// Mean squared error of chances.
pub fn brier(chance: &[f64], event: &[bool]) -> f64 {
    let squared = |(chance, event): (&f64, &bool)| (chance - f64::from(u8::from(*event))).powi(2);
    chance.iter().zip(event).map(squared).sum::<f64>() / chance.len() as f64
}

/// Rows by falling score; equal scores stay in order.
fn ranked(score: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..score.len()).collect();
    order.sort_by(|&a, &b| score[b].total_cmp(&score[a]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_small_cases_by_hand() {
        let event = [false, true, false, true];
        assert!((auc(&[0.1, 0.4, 0.35, 0.8], &event) - 1.0).abs() < 1e-12);
        assert!((auc(&[0.5; 4], &event) - 0.5).abs() < 1e-12);
        assert!((auc(&[0.9, 0.4, 0.35, 0.8], &event) - 0.5).abs() < 1e-12);
        assert!((average_precision(&[0.9, 0.4, 0.35, 0.8], &event) - (0.5 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
        assert!((precision_at(&[0.9, 0.4, 0.35, 0.8], &event, 2) - 0.5).abs() < 1e-12);
        assert!((rmse(&[1.0, 3.0], &[1.0, 1.0]) - 2.0_f64.sqrt()).abs() < 1e-12);
        assert!(auc(&[0.1], &[true]).is_nan());
    }
}
