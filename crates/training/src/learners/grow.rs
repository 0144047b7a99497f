//! One tree, grown leaf by leaf on histograms of gradients.

use rayon::prelude::*;
use twinwright_kernels::forest::Tree;

use super::bins::{ABSENT, BINS, Binned};
use super::boost::BoostSettings;
use super::woods::Wild;

/// Sums of a bin: gradient, curvature, rows.
type Bin = [f64; 3];
/// Bins of one feature, the absent ones last.
type Histogram = Vec<Bin>;

/// What grows.
pub(crate) struct Grower<'a> {
    pub(crate) binned: &'a Binned,
    pub(crate) gradient: &'a [f64],
    pub(crate) curvature: &'a [f64],
    pub(crate) features: &'a [usize],
    pub(crate) settings: &'a BoostSettings,
    /// Splits at random places among some of the features; else the best of all places of all features.
    pub(crate) wild: Option<&'a Wild>,
}

struct Split {
    gain: f64,
    feature: usize,
    bin: usize,
    missing_left: bool,
}

/// A leaf that may still split: its node, its rows and what it knows of them.
struct Leaf {
    node: usize,
    rows: std::ops::Range<usize>,
    histograms: Vec<Histogram>,
    split: Option<Split>,
}

impl Grower<'_> {
    /// Grows a tree on `rows`, which it sorts by leaf; returns the tree and each leaf's node with its rows.
    pub(crate) fn grow(&self, rows: &mut [u32]) -> (Tree, Vec<(usize, std::ops::Range<usize>)>) {
        let mut tree = Tree::default();
        let histograms = self.known(rows);
        let root = self.leaf(&mut tree, 0..rows.len(), rows, histograms);
        let mut leaves = vec![root];
        while leaves.len() < self.settings.leaves {
            let gain = |leaf: &Leaf| leaf.split.as_ref().map_or(0.0, |split| split.gain);
            let best = (0..leaves.len()).max_by(|&a, &b| gain(&leaves[a]).total_cmp(&gain(&leaves[b])));
            let Some(at) = best.filter(|&at| gain(&leaves[at]) > 0.0) else { break };
            let leaf = leaves.swap_remove(at);
            let Some((left, right)) = self.split(&mut tree, leaf, rows) else { continue };
            leaves.push(left);
            leaves.push(right);
        }
        let places = leaves.into_iter().map(|leaf| (leaf.node, leaf.rows)).collect();
        (tree, places)
    }

    /// Histograms that a node hands on to its children. Random splits look at few features, other ones each time.
    fn known(&self, rows: &[u32]) -> Vec<Histogram> {
        if self.wild.is_some() { Vec::new() } else { self.histograms(rows, self.features) }
    }

    fn leaf(
        &self,
        tree: &mut Tree,
        range: std::ops::Range<usize>,
        rows: &[u32],
        histograms: Vec<Histogram>,
    ) -> Leaf {
        let mut total = [0.0; 3];
        if self.wild.is_some() {
            for &row in &rows[range.clone()] {
                total[0] += self.gradient[row as usize];
                total[1] += self.curvature[row as usize];
                total[2] += 1.0;
            }
        }
        for bin in histograms.first().into_iter().flatten() {
            (0..3).for_each(|at| total[at] += bin[at]);
        }
        let node = tree.value.len();
        tree.feature.push(0);
        tree.threshold.push(0.0);
        tree.left.push(0);
        tree.right.push(0);
        tree.missing_left.push(0);
        tree.value.push(-self.settings.learning_rate * total[0] / (total[1] + self.settings.l2));
        let split = match self.wild {
            _ if total[2] < 2.0 * self.settings.least_rows as f64 => None,
            None => self.best(&histograms, total),
            Some(wild) => self.best_random(&rows[range.clone()], total, wild),
        };
        Leaf { node, rows: range, histograms, split }
    }

    /// The best of random splits, one on each of some features.
    fn best_random(&self, rows: &[u32], total: Bin, wild: &Wild) -> Option<Split> {
        let chosen: Vec<usize> =
            wild.features(self.features.len()).into_iter().map(|at| self.features[at]).collect();
        let splits = self.histograms(rows, &chosen).into_iter().zip(chosen);
        let splits =
            splits.filter_map(|(histogram, feature)| self.random_of(&histogram, feature, total, wild));
        splits.max_by(|a, b| a.gain.total_cmp(&b.gain).then(b.feature.cmp(&a.feature)))
    }

    /// The best split over all features.
    fn best(&self, histograms: &[Histogram], total: Bin) -> Option<Split> {
        let each: Vec<Option<Split>> = histograms
            .iter()
            .zip(self.features)
            .map(|(histogram, &feature)| self.best_of(histogram, feature, total))
            .collect();
        each.into_iter().flatten().max_by(|a, b| a.gain.total_cmp(&b.gain).then(b.feature.cmp(&a.feature)))
    }

    fn best_of(&self, histogram: &Histogram, feature: usize, total: Bin) -> Option<Split> {
        let least = self.settings.least_rows as f64;
        let objective = |bin: &Bin| bin[0] * bin[0] / (bin[1] + self.settings.l2);
        let whole = objective(&total);
        let absent = histogram[BINS];
        let mut best: Option<Split> = None;
        // With absent values both sides are tried for them.
        for missing_left in [false, true] {
            if missing_left && absent[2] == 0.0 {
                break;
            }
            let mut left = if missing_left { absent } else { [0.0; 3] };
            for (bin, sums) in histogram.iter().enumerate().take(self.binned.borders[feature].len()) {
                (0..3).for_each(|at| left[at] += sums[at]);
                let right = [total[0] - left[0], total[1] - left[1], total[2] - left[2]];
                if left[2] < least {
                    continue;
                }
                if right[2] < least {
                    break;
                }
                let gain = objective(&left) + objective(&right) - whole;
                if gain > self.settings.least_gain && best.as_ref().is_none_or(|best| gain > best.gain) {
                    best = Some(Split { gain, feature, bin, missing_left });
                }
            }
        }
        best
    }

    /// A split at a random value between the smallest and the largest; absent values go by chance.
    fn random_of(&self, histogram: &Histogram, feature: usize, total: Bin, wild: &Wild) -> Option<Split> {
        let borders = &self.binned.borders[feature];
        let present = |bin: &usize| histogram[*bin][2] > 0.0;
        let first = (0..=borders.len()).find(present)?;
        let last = (0..=borders.len()).rfind(present)?;
        let absent = histogram[BINS];
        if first == last && absent[2] == 0.0 {
            return None;
        }
        let missing_left = absent[2] > 0.0 && wild.unit() < 0.5;
        let bin = if first == last {
            // Only absence tells rows apart here.
            if missing_left { return None } else { first.min(borders.len().checked_sub(1)?) }
        } else {
            let (low, high) = (borders[first], borders[last - 1]);
            let place = low + wild.unit() * (high - low);
            borders.partition_point(|border| *border < place).clamp(first, last - 1)
        };
        let mut left = if missing_left { absent } else { [0.0; 3] };
        for sums in &histogram[..=bin] {
            (0..3).for_each(|at| left[at] += sums[at]);
        }
        let right = [total[0] - left[0], total[1] - left[1], total[2] - left[2]];
        let least = self.settings.least_rows as f64;
        let objective = |bin: &Bin| bin[0] * bin[0] / (bin[1] + self.settings.l2);
        let gain = objective(&left) + objective(&right) - objective(&total);
        (left[2] >= least && right[2] >= least && gain > self.settings.least_gain).then_some(Split {
            gain,
            feature,
            bin,
            missing_left,
        })
    }

    fn split(&self, tree: &mut Tree, leaf: Leaf, rows: &mut [u32]) -> Option<(Leaf, Leaf)> {
        let split = leaf.split?;
        let column = &self.binned.columns[split.feature];
        let goes_left = |row: u32| {
            let bin = column[row as usize];
            if bin == ABSENT { split.missing_left } else { usize::from(bin) <= split.bin }
        };
        // Stable, so that sums run over the rows in one fixed order.
        let members = &mut rows[leaf.rows.clone()];
        let right: Vec<u32> = members.iter().copied().filter(|row| !goes_left(*row)).collect();
        let mut count = 0;
        for at in 0..members.len() {
            if goes_left(members[at]) {
                members[count] = members[at];
                count += 1;
            }
        }
        members[count..].copy_from_slice(&right);
        let middle = leaf.rows.start + count;
        let (first, second) = (leaf.rows.start..middle, middle..leaf.rows.end);
        // The smaller side is counted, the larger one is what remains.
        let small_left = first.len() <= second.len();
        let small = self.known(&rows[if small_left { first.clone() } else { second.clone() }]);
        let mut large = leaf.histograms;
        for (large, small) in large.iter_mut().zip(&small) {
            for (large, small) in large.iter_mut().zip(small) {
                (0..3).for_each(|at| large[at] -= small[at]);
            }
        }
        let (left, right) = if small_left { (small, large) } else { (large, small) };
        let left = self.leaf(tree, first, rows, left);
        let right = self.leaf(tree, second, rows, right);
        let node = leaf.node;
        tree.feature[node] = split.feature as u16;
        tree.threshold[node] = self.binned.borders[split.feature][split.bin];
        tree.left[node] = left.node as u16;
        tree.right[node] = right.node as u16;
        tree.missing_left[node] = u8::from(split.missing_left);
        Some((left, right))
    }

    /// Sums by bin; each feature on its own, so the number of threads changes no bit.
    fn histograms(&self, rows: &[u32], features: &[usize]) -> Vec<Histogram> {
        let of = |feature: &usize| {
            let column = &self.binned.columns[*feature];
            let mut histogram = vec![[0.0; 3]; BINS + 1];
            for &row in rows {
                let row = row as usize;
                let bin = &mut histogram[usize::from(column[row])];
                bin[0] += self.gradient[row];
                bin[1] += self.curvature[row];
                bin[2] += 1.0;
            }
            histogram
        };
        if rows.len() * features.len() < 20_000 {
            features.iter().map(of).collect()
        } else {
            features.par_iter().map(of).collect()
        }
    }
}
