//! Kill -9 in the middle of `retrain`: a process of its own trains, and is killed at each step. The promoted baseline is
//! untouched to the byte, and the next run finishes what the killed one had begun.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use twinwright_core::time::SECOND;
use twinwright_history::store::Store;

use super::tests::{START, store_rows};
use super::*;
use crate::catalog::baselines;
use crate::testing::{config, runtime};
use crate::train::records;

/// Tells the child where it works. Without it the child's test does nothing.
const FOLDER: &str = "TWINWRIGHT_TEST_RETRAIN_FOLDER";
const CHILD: &str = "functions::retrain::kill_tests::a_process_that_retrains";
const MODEL: &str = "robotic-arm";
const PATIENCE: Duration = Duration::from_secs(120);
const FIRST: Micros = START + 2_500 * SECOND;
const SECOND_RUN: Micros = START + 5_200 * SECOND;

fn app_in(folder: &Path) -> App {
    let url = format!("folder:{}", folder.display());
    App::with_parts(config(), Store::from_url(&url).unwrap(), None, None, None, None)
}

/// What the parent starts and has killed.
#[test]
fn a_process_that_retrains() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    runtime().block_on(async {
        let app = app_in(Path::new(&folder));
        let verdict = retrain_all(&app, SECOND_RUN).await.unwrap().remove(0);
        println!("{verdict}");
    });
}

/// Starts the child and waits for its end; answers whether it was killed.
fn child(folder: &Path, point: &str, mark: &Path) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([CHILD, "--exact", "--nocapture", "--test-threads", "1"])
        .env(FOLDER, folder)
        .env("TWINWRIGHT_KILL_AT", point)
        .env("TWINWRIGHT_KILL_MARK", mark)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return !status.success() && status.code().is_none();
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the child did not end at {point}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Numbers and bytes of all baselines.
async fn promoted(app: &App) -> Vec<(u64, Vec<u8>)> {
    let documents = baselines(&app.store, MODEL);
    let mut all = Vec::new();
    for number in documents.list().await.unwrap() {
        all.push((number, documents.read(number).await.unwrap().unwrap().to_vec()));
    }
    all
}

fn killed_at(point: &str, number_after_kill: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("killed");
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    runtime().block_on(async {
        let app = app_in(&data);
        store_rows(&app, 0, 2_500, 2.5).await;
        assert_eq!(retrain_all(&app, FIRST).await.unwrap()[0].promoted, Some(1));
        let before = promoted(&app).await;
        store_rows(&app, 2_500, 2_600, 2.5).await;
        let (folder, killer, at) = (data.clone(), mark.clone(), point.to_owned());
        let killed = tokio::task::spawn_blocking(move || child(&folder, &at, &killer)).await.unwrap();
        assert!(killed && mark.exists(), "the child was not killed at {point}");

        let left = promoted(&app).await;
        assert_eq!(left[0], before[0], "the promoted baseline is untouched");
        assert_eq!(left.last().map(|(number, _)| *number), Some(number_after_kill), "killed at {point}");
        let records_left = records::all(&app.store, MODEL).await.unwrap();
        assert_eq!(records_left.len(), 1, "the killed run told nothing");

        retrain_all(&app, SECOND_RUN).await.unwrap();
        let after = promoted(&app).await;
        assert_eq!(after.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2], "killed at {point}");
        assert_eq!(after[0], before[0]);
        let (_, run) = records::all(&app.store, MODEL).await.unwrap().pop().unwrap();
        assert_eq!(run.promoted, Some(2), "{run:?}");
        // Every byte follows from rows and number: what the killed run would have promoted is what there is.
        if number_after_kill == 2 {
            assert_eq!(after[1], left[1]);
        }
    });
}

#[test]
fn when_history_is_read() {
    killed_at("retrain-read", 1);
}

#[test]
fn when_the_candidate_is_fitted() {
    killed_at("retrain-fitted", 1);
}

#[test]
fn when_it_is_about_to_be_promoted() {
    killed_at("retrain-promoting", 1);
}

#[test]
fn when_it_is_promoted_and_not_yet_told() {
    killed_at("retrain-recording", 2);
}
