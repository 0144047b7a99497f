//! The suites that are no detection, on folders made here in the formats of the public ones.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use twinwright_core::scoring::{ScoreBatch, Scored, Scorer, ScorerError, StateBlobs};
use twinwright_kernels::Batch;
use twinwright_kernels::life::{LifeModel, RemainingLife};
use twinwright_training::suites::settings::FROZEN;
use twinwright_training::suites::{self, Report, ScorerHost, Settings, SuiteError};

struct Life(RemainingLife);

impl Scorer for Life {
    fn id(&self) -> &'static str {
        RemainingLife::NAME
    }

    fn score(&mut self, batch: &ScoreBatch<'_>) -> Result<Scored, ScorerError> {
        let answer = self.0.score(&Batch {
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

/// Lends the kernel; its references say nothing of use.
struct Host {
    tasks: Vec<String>,
}

impl ScorerHost for Host {
    fn prepare(&mut self, scorer: &str, json: &[u8]) -> Result<Box<dyn Scorer>, SuiteError> {
        assert_eq!(scorer, RemainingLife::NAME);
        Ok(Box::new(Life(RemainingLife::new(LifeModel::from_json(json).unwrap()).unwrap())))
    }

    fn predictions(&mut self, request: &serde_json::Value) -> Result<Vec<(String, Vec<f64>)>, SuiteError> {
        let task = request["task"].as_str().unwrap().to_owned();
        let count = match task.as_str() {
            "life" => request["test"].as_array().unwrap().len(),
            "quality" => {
                request["bad"].as_array().unwrap().len() - request["first"].as_u64().unwrap() as usize
            }
            _ => {
                (request["days"].as_array().unwrap().len() - request["first"].as_u64().unwrap() as usize) * 96
            }
        };
        self.tasks.push(task);
        Ok(vec![("reference: ones".to_owned(), vec![1.0; count])])
    }
}

/// The frozen settings with little trees: these folders are small.
fn settings() -> Settings {
    let text =
        FROZEN.replace("trees = 250", "trees = 40").replace("learning_rate = 0.04", "learning_rate = 0.2");
    let text = text.replace("least_rows = 100", "least_rows = 20").replace("samples = 1000", "samples = 50");
    Settings::parse(&text).unwrap()
}

fn run(suite: &str, folder: &Path) -> Result<(Report, Vec<String>), SuiteError> {
    let mut host = Host { tasks: Vec::new() };
    let report = suites::find(suite).unwrap().run(folder, &settings(), &mut host)?;
    Ok((report, host.tasks))
}

fn figure(report: &Report, name: &str) -> f64 {
    report.figures.iter().find(|figure| figure.name == name).unwrap_or_else(|| panic!("no {name}")).value
}

struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / f64::from(1 << 23) - 1.0
    }
}

/// Engines in the turbofan format: some signals wear, the rest are noise. `cut` ends a life early.
fn engines(count: usize, noise: &mut Noise, cut: bool) -> (String, Vec<usize>) {
    let (mut text, mut left) = (String::new(), Vec::new());
    for engine in 1..=count {
        let life = 150 + ((noise.next() + 1.0) * 40.0) as usize;
        let rows = if cut { 60 + ((noise.next() + 1.0) * 0.5 * (life - 65) as f64) as usize } else { life };
        left.push(life - rows);
        for row in 0..rows {
            let wear = (1.0 - (life - 1 - row) as f64 / 110.0).max(0.0);
            let _ = write!(text, "{engine} {}", row + 1);
            for column in 0..24 {
                let value = if (3..9).contains(&column) { 10.0 * wear + noise.next() } else { noise.next() };
                let _ = write!(text, " {value:.4}");
            }
            text.push_str("  \n");
        }
    }
    (text, left)
}

#[test]
fn engines_of_any_set_are_measured_beside_controls_and_references() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("CMAPSSData");
    fs::create_dir(&inner).unwrap();
    let mut noise = Noise(4);
    fs::write(inner.join("train_FD007.txt"), engines(24, &mut noise, false).0).unwrap();
    let (test, left) = engines(12, &mut noise, true);
    fs::write(inner.join("test_FD007.txt"), test).unwrap();
    let left: String = left.iter().map(|left| format!("{left}\n")).collect();
    fs::write(inner.join("RUL_FD007.txt"), &left).unwrap();
    let (report, tasks) = run("cmapss", folder.path()).unwrap();
    assert_eq!((report.recordings, tasks), (12, vec!["life".to_owned()]));
    assert!(figure(&report, "cmapss_fd007_rmse") < 20.0, "{report:?}");
    assert!(figure(&report, "cmapss_fd007_lead_in_time") > 90.0, "{report:?}");
    let methods: Vec<&str> = report.tables[0].rows.iter().map(|row| row[0].as_str()).collect();
    for wanted in ["remaining-life", "reference: ones", "control: never fails", "control: random 5"] {
        assert!(methods.contains(&wanted), "{methods:?}");
    }
    assert!(report.tables[1].rows.iter().any(|row| row[0].contains("clock")));

    fs::write(inner.join("RUL_FD007.txt"), "12\n").unwrap();
    let error = run("cmapss", folder.path()).unwrap_err().to_string();
    assert!(error.contains("RUL_FD007.txt") && error.contains("1 remaining lives, but 12 test"), "{error}");
    fs::write(inner.join("test_FD007.txt"), "1 1 0.5\n").unwrap();
    let error = run("cmapss", folder.path()).unwrap_err().to_string();
    assert!(error.contains("line 1 has 3 numbers instead of 26"), "{error}");
}

/// Parts whose third input tells a little of the outcome.
fn parts() -> Vec<([f64; 4], bool)> {
    let mut noise = Noise(9);
    let part = |_| {
        let bad = noise.next() > 0.7;
        let tell = noise.next() + if bad { 0.8 } else { 0.0 };
        ([noise.next(), noise.next(), tell, noise.next()], bad)
    };
    (0..400).map(part).collect()
}

#[test]
fn parts_are_read_in_each_of_their_forms() {
    let table = |head: &str, order: &dyn Fn(usize) -> String, bad: &str| {
        let line = |(at, (inputs, is_bad)): (usize, &([f64; 4], bool))| {
            let inputs: Vec<String> = inputs.iter().map(f64::to_string).collect();
            format!("{},{},{}\n", order(at), inputs.join(","), if *is_bad { "1" } else { bad })
        };
        format!("{head}\n") + &parts().iter().enumerate().rev().map(line).collect::<String>()
    };
    let moment =
        |at: usize| format!("2008-07-{:02} {:02}:{:02}:00", 1 + at / 40, 8 + at % 40 / 4, at % 4 * 15);
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let lasso = table(",a,b,c,d,y", &|at| at.to_string(), "0");
    fs::write(folders[0].path().join("train.csv"), lasso).unwrap();
    let timed = table("Time,a,b,c,d,Pass/Fail", &moment, "-1");
    fs::write(folders[1].path().join("uci-secom.csv"), timed).unwrap();
    let (mut data, mut labels) = (String::new(), String::new());
    for (at, (inputs, bad)) in parts().iter().enumerate() {
        let inputs: Vec<String> = inputs.iter().map(f64::to_string).collect();
        let _ = writeln!(data, "{}", inputs.join(" "));
        let (day, hour) = (1 + at / 40, 8 + at % 40 / 4);
        let label = if *bad { 1 } else { -1 };
        let _ = writeln!(labels, "{label} \"{day:02}/07/2008 {hour:02}:{:02}:00\"", at % 4 * 15);
    }
    fs::write(folders[2].path().join("secom.data"), data).unwrap();
    fs::write(folders[2].path().join("secom_labels.data"), labels).unwrap();
    let figures = folders.each_ref().map(|folder| {
        let (report, tasks) = run("secom", folder.path()).unwrap();
        assert_eq!((report.recordings, tasks), (400, vec!["quality".to_owned()]));
        assert!(report.figures.iter().any(|figure| figure.low.is_some() && figure.must.is_some()));
        figure(&report, "secom_auc")
    });
    assert!(figures[0] > 0.6 && figures.iter().all(|auc| (auc - figures[0]).abs() < 1e-12), "{figures:?}");
}

#[test]
fn loads_are_forecast_and_what_is_no_load_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut noise = Noise(2);
    let mut text = "date,Usage_kWh,Other\n".to_owned();
    for quarter in 1..=96 * 75 {
        let (day, slot) = ((quarter - 1) / 96, (quarter - 1) % 96);
        let works = day % 7 < 5 && (32..72).contains(&slot);
        // As irregular as a plant is: what follows its course to 98 % is refused as a leak.
        let load = if works { 60.0 + 24.0 * noise.next() } else { 5.0 + noise.next() };
        let (day, minutes) = (quarter / 96, quarter % 96 * 15);
        let (month, day) =
            [(1, 31), (2, 28), (3, 31)].iter().fold((0, day), |(month, rest), (next, days)| {
                if month == 0 && rest >= *days {
                    (0, rest - days)
                } else if month == 0 {
                    (*next, rest)
                } else {
                    (month, rest)
                }
            });
        let _ = writeln!(
            text,
            "2018-{month:02}-{:02} {:02}:{:02},{load:.2},9",
            day + 1,
            minutes / 60,
            minutes % 60
        );
    }
    fs::write(folder.path().join("load.csv"), &text).unwrap();
    let (report, tasks) = run("steel", folder.path()).unwrap();
    assert_eq!((report.recordings, tasks), (75, vec!["load".to_owned()]));
    let error = figure(&report, "steel_day_ahead_cv_rmse");
    assert!(error < 60.0, "{error}");
    fs::write(folder.path().join("load.csv"), "date,load\nyesterday,3\n").unwrap();
    let error = run("steel", folder.path()).unwrap_err().to_string();
    assert!(error.contains("line 2: the time must be like"), "{error}");
}

#[test]
fn an_empty_folder_says_what_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    for (suite, wanted) in
        [("cmapss", "train_FD001.txt"), ("secom", "Pass/Fail"), ("steel", "quarter of an hour")]
    {
        let error = run(suite, folder.path()).unwrap_err();
        assert!(matches!(error, SuiteError::Nothing { .. }), "{error}");
        assert!(error.to_string().contains(wanted), "{error}");
    }
}
