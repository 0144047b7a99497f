//! The commands over a folder, through the arguments that people type.

use clap::Parser as _;
use twinwright_history::compact::Summary;

use super::*;
use crate::args::Cli;

/// Runs a command over the folder.
async fn run(folder: &std::path::Path, words: &[&str]) -> anyhow::Result<()> {
    let data = folder.join("platform").display().to_string();
    let tail = ["--data", data.as_str(), "--json"];
    let all = ["twinwright", "history"].iter().chain(words).chain(&tail).copied();
    crate::run(Cli::try_parse_from(all)?).await
}

fn csv() -> String {
    let mut text = "timestamp,device_id,speed,mode\n".to_owned();
    for minute in 0..120 {
        for device in ["arm-1", "arm-2"] {
            let speed = f64::from(minute % 30) + 0.5;
            text +=
                &format!("2024-03-04T{:02}:{:02}:00Z,{device},{speed},running\n", minute / 60, minute % 60);
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_in_and_comes_out_the_same() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("platform/storage")).unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("in.csv"), csv()).unwrap();
    let span = ["--from", "2024-03-04", "--to", "2024-03-05"];
    run(folder.path(), &["import", &path("in.csv")]).await.unwrap();
    run(folder.path(), &["import", &path("in.csv")]).await.unwrap();
    run(folder.path(), &["status"]).await.unwrap();
    run(folder.path(), &["compact", "--all"]).await.unwrap();
    run(folder.path(), &["verify"]).await.unwrap();
    for name in ["out.csv", "out.ndjson", "out.parquet"] {
        run(folder.path(), &[&["export", &path(name)][..], &span].concat()).await.unwrap();
    }
    let lines = |name: &str| std::fs::read_to_string(path(name)).unwrap().lines().count();
    assert_eq!((lines("out.csv"), lines("out.ndjson")), (241, 240));
    assert!(std::fs::read(path("out.parquet")).unwrap().starts_with(b"PAR1"));
    let error = run(folder.path(), &["export", &path("out.xls")]).await.unwrap_err();
    assert!(error.to_string().contains("--format"), "{error}");
    run(folder.path(), &[&["query", "--device", "arm-1", "--limit", "3"][..], &span].concat()).await.unwrap();
    run(folder.path(), &[&["series", "arm-1", "speed", "--png", &path("a.png")][..], &span].concat())
        .await
        .unwrap();
    assert!(std::fs::read(path("a.png")).unwrap().starts_with(b"\x89PNG"));
    let error = run(folder.path(), &["erase", "arm-1"]).await.unwrap_err();
    assert!(error.to_string().contains("--yes"), "{error}");
    run(folder.path(), &["erase", "arm-1", "--yes"]).await.unwrap();
    run(folder.path(), &[&["export", &path("out.csv")][..], &span].concat()).await.unwrap();
    assert_eq!(lines("out.csv"), 121);
    run(folder.path(), &["verify"]).await.unwrap();
    run(folder.path(), &["sql"]).await.unwrap();
    let error = run(folder.path(), &["replay", "--into", "hub"]).await.unwrap_err();
    assert!(error.to_string().contains("twinwright up"), "{error}");
}

#[tokio::test]
async fn where_there_is_no_history_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let error = run(folder.path(), &["status"]).await.unwrap_err();
    assert!(error.to_string().contains("--data"), "{error}");
}

#[test]
fn times_durations_and_speeds_are_read_as_people_write_them() {
    assert_eq!(history_time("2026-03-04"), history_time("2026-03-04T00:00:00Z"));
    assert!(history_time("2d").unwrap() < history_time("1d").unwrap());
    assert!(history_time("yesterday").unwrap_err().contains("7d"));
    assert_eq!(history_span("90s"), Ok(90 * SECOND));
    assert_eq!(history_span("PT1M"), history_span("1m"));
    for bad in ["", "s", "0m", "-1h", "1y", "99999999999999d", "°"] {
        assert!(history_span(bad).is_err(), "{bad}");
    }
    assert_eq!(history_speed("10x"), Ok(10.0));
    assert!(history_speed("0x").is_err() && history_speed("max").unwrap().is_infinite());
}

#[test]
fn a_chart_shows_the_shape_and_a_picture_is_one() {
    let mut summaries: Vec<Summary> = (0..50_u32)
        .map(|at| {
            let mut summary = Summary::EMPTY;
            summary.add(&[f64::from(at), f64::from(at) + 4.0]);
            summary
        })
        .collect();
    summaries[20] = Summary::EMPTY;
    let text = chart::chart(&summaries, "first", "last");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("53.0000 │") && lines[0].contains('░'), "{text}");
    assert!(lines[13].contains('●') && lines[15].contains("first"), "{text}");
    assert!(chart::chart(&[Summary::EMPTY], "a", "b").contains('└'), "nothing there is no harm");
    let image = picture::png(&summaries);
    assert_eq!(&image[12..16], b"IHDR");
    assert_eq!(picture::crc(b"IEND"), 0xae42_6082);
    assert!(image.len() > 300_000 && picture::png(&[]).starts_with(b"\x89PNG"));
}

#[test]
fn views_lead_to_the_files() {
    let views = sql::Views::of("azure://plantstore/history", "my hub");
    assert!(views.duckdb().contains("abfss://history@plantstore.dfs.core.windows.net/history/v=1/hub="));
    assert!(views.adx().contains("kind=delta") && views.spark().contains("delta.`abfss://"));
    assert!(sql::Views::of("folder:/a'b", "x").duckdb().contains("/a''b/history"));
}
