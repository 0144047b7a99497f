//! How well the baseline works on recordings of the SKAB kind (`;` separated, labelled in `anomaly`).
//!
//! `cargo run -p twinwright-training --example skab -- FOLDER [train rows] [quantile] [margin]`
//!
//! For each file the first rows train, the rest is scored; an alert needs 5 rows in a row above the limit.

#![allow(clippy::unwrap_used, reason = "a command-line tool for people at a desk")]

use twinwright_core::time::parse_iso;
use twinwright_kernels::{Answer, Batch, EwmaChart, Kernel, SmoothedMahalanobis};
use twinwright_training::{Matrix, Options, fit};

#[derive(Default)]
struct Counts {
    true_alarms: f64,
    false_alarms: f64,
    missed: f64,
    quiet: f64,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.true_alarms += other.true_alarms;
        self.false_alarms += other.false_alarms;
        self.missed += other.missed;
        self.quiet += other.quiet;
    }

    fn line(&self) -> String {
        let (tp, fp, fne, tn) = (self.true_alarms, self.false_alarms, self.missed, self.quiet);
        let mcc = (tp * tn - fp * fne) / ((tp + fp) * (tp + fne) * (tn + fp) * (tn + fne)).sqrt().max(1e-9);
        format!(
            "F1 {:.3} FAR {:5.1} % MAR {:5.1} % MCC {mcc:.2}",
            2.0 * tp / (2.0 * tp + fp + fne).max(1.0),
            100.0 * fp / (fp + tn).max(1.0),
            100.0 * fne / (tp + fne).max(1.0),
        )
    }
}

fn run<K: Kernel>(name: &str, kernel: &mut K, batch: &Batch<'_>, labels: &[bool]) -> Counts {
    let Answer { scores, .. } = kernel.score(batch).unwrap();
    let mut counts = Counts::default();
    let (mut above, mut first) = (0, None);
    for (row, (&score, &label)) in scores.iter().zip(labels).enumerate() {
        above = if score > 1.0 { above + 1 } else { 0 };
        if above == 5 && first.is_none() {
            first = Some((row, label));
        }
        match (score > 1.0, label) {
            (true, true) => counts.true_alarms += 1.0,
            (true, false) => counts.false_alarms += 1.0,
            (false, true) => counts.missed += 1.0,
            (false, false) => counts.quiet += 1.0,
        }
    }
    let window = labels.iter().position(|label| *label);
    println!("{name} {} window from {window:?}, first alert {first:?}", counts.line());
    counts
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: f64| arguments.get(at).map_or(default, |text| text.parse().unwrap());
    let train = number(1, 400.0) as usize;
    let defaults = Options::default();
    let options =
        Options { quantile: number(2, defaults.quantile), margin: number(3, defaults.margin), ..defaults };
    let mut files: Vec<_> = std::fs::read_dir(&arguments[0]).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort_by_key(|path| path.file_stem().unwrap().to_string_lossy().parse::<u32>().unwrap_or(0));
    let mut totals = [Counts::default(), Counts::default()];
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines = text.lines();
        let header: Vec<String> = lines.next().unwrap().split(';').map(str::to_owned).collect();
        let signals = &header[1..9];
        let (mut time, mut values, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for line in lines {
            let fields: Vec<&str> = line.split(';').collect();
            time.push(parse_iso(fields[0]).unwrap());
            values.extend(fields[1..9].iter().map(|field| field.parse::<f64>().unwrap()));
            labels.push(fields[9].starts_with('1'));
        }
        let device = vec![0; time.len()];
        let rows = Matrix {
            device: &device[..train],
            time: &time[..train],
            values: &values[..train * signals.len()],
        };
        let candidate = fit("pump", signals, &[], &rows, &options).unwrap();
        let rest = &values[train * signals.len()..];
        let batch = Batch {
            signals: signals.len(),
            device: &device[train..],
            time: &time[train..],
            values: rest,
            mask: &vec![0; rest.len()],
            state: &[],
            state_ends: &[0],
        };
        println!("{} {:?}", path.file_name().unwrap().to_string_lossy(), candidate.baseline.limits);
        let baseline = &candidate.baseline;
        let labels = &labels[train..];
        totals[0].add(&run(
            "  mahalanobis",
            &mut SmoothedMahalanobis::new(baseline).unwrap(),
            &batch,
            labels,
        ));
        totals[1].add(&run("  ewma       ", &mut EwmaChart::new(baseline).unwrap(), &batch, labels));
    }
    println!("all: mahalanobis {}", totals[0].line());
    println!("all: ewma        {}", totals[1].line());
}
