//! What a segment's name says, so that readers choose files without opening them.
//!
//! `segments/v=1/hub=<hub>/date=YYYY-MM-DD/hour=HH/<first enqueued>_<min time>_<max time>_p<partition>_<first>-<last>.parquet`
//!
//! The stamps are `yyyyMMddHHmmssfff` in UTC, which Azure Data Explorer reads as a creation time. The earliest is rounded
//! down and the latest up, so a name never excludes a row of its file. Times outside the years 1-9999 (a hostile device
//! can send them) become the first or last stamp, which read back as "no bound". Sequence numbers have 20 places:
//! any 64-bit number fits, and the names of one partition within a millisecond sort as their numbers do.

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike, Utc};
use twinwright_core::frame::Frame;
use twinwright_core::time::{Micros, SECOND};

const MILLISECOND: Micros = SECOND / 1_000;
/// 0001-01-01T00:00:00.000Z
const FIRST_STAMP: Micros = -62_135_596_800 * SECOND;
/// 9999-12-31T23:59:59.999Z
const LAST_STAMP: Micros = 253_402_300_799 * SECOND + 999 * MILLISECOND;
const PLACES: usize = 20;
/// More than any hub's name has, less than a file system's limit.
const LONGEST_HUB: usize = 128;

/// What a segment's path says. Times have the name's precision: whole milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SegmentName {
    /// IoT Hub name, as written in the path.
    pub hub: String,
    /// Partition of the hub.
    pub partition: u32,
    /// First sequence number of the input.
    pub first: i64,
    /// Last sequence number of the input.
    pub last: i64,
    /// Enqueued time of the input's first event, rounded down to the millisecond.
    pub first_enqueued: Micros,
    /// No row is earlier; [`Micros::MIN`] when the name cannot tell.
    pub min_time: Micros,
    /// No row is later; [`Micros::MAX`] when the name cannot tell.
    pub max_time: Micros,
}

impl SegmentName {
    /// The name of a frame's segment.
    pub fn of(hub: &str, frame: &Frame) -> Self {
        let (min, max) = frame.time_bounds();
        let ceiling = max.checked_add(MILLISECOND - 1).unwrap_or(Micros::MAX);
        Self {
            hub: hub_part(hub),
            partition: frame.partition,
            first: frame.range.first,
            last: frame.range.last,
            first_enqueued: floor(frame.first_enqueued).clamp(FIRST_STAMP, LAST_STAMP),
            min_time: if min < FIRST_STAMP { Micros::MIN } else { floor(min).min(LAST_STAMP) },
            max_time: if ceiling >= LAST_STAMP { Micros::MAX } else { floor(ceiling).max(FIRST_STAMP) },
        }
        .normal()
    }

    /// What the first and last stamp mean when read back.
    fn normal(mut self) -> Self {
        if self.min_time <= FIRST_STAMP {
            self.min_time = Micros::MIN;
        }
        if self.max_time >= LAST_STAMP {
            self.max_time = Micros::MAX;
        }
        self
    }

    /// Path of the segment.
    pub fn path(&self) -> String {
        self.path_under("segments")
    }

    /// Path of the scores of its rows.
    pub fn scores_path(&self) -> String {
        self.path_under("scores")
    }

    fn path_under(&self, root: &str) -> String {
        format!(
            "{}/{}_{}_{}_p{}_{:0PLACES$}-{:0PLACES$}.parquet",
            hour_folder(root, &self.hub, self.first_enqueued),
            stamp(self.first_enqueued),
            stamp(self.min_time),
            stamp(self.max_time),
            self.partition,
            self.first,
            self.last,
        )
    }

    /// Whether the file may have rows with `from <= time < to`.
    pub fn overlaps(&self, from: Micros, to: Micros) -> bool {
        self.max_time >= from && self.min_time < to
    }
}

/// Path of a frame's segment.
pub fn path(hub: &str, frame: &Frame) -> String {
    SegmentName::of(hub, frame).path()
}

/// Reads a path of a segment or of its scores; `None` for anything that this crate would not have written.
pub fn parse_path(path: &str) -> Option<SegmentName> {
    let mut parts = path.split('/');
    let root = parts.next().filter(|root| matches!(*root, "segments" | "scores"))?;
    parts.next().filter(|version| *version == "v=1")?;
    let hub = parts.next()?.strip_prefix("hub=")?;
    let (_date, _hour) = (parts.next()?, parts.next()?);
    let stem = parts.next()?.strip_suffix(".parquet")?;
    if parts.next().is_some() {
        return None;
    }
    let mut fields = stem.split('_');
    let first_enqueued = parse_stamp(fields.next()?)?;
    let (min_time, max_time) = (parse_stamp(fields.next()?)?, parse_stamp(fields.next()?)?);
    let partition = fields.next()?.strip_prefix('p')?.parse().ok()?;
    let range = fields.next()?;
    if fields.next().is_some() || range.len() != 2 * PLACES + 1 || !range.is_ascii() {
        return None;
    }
    let (first, last) = (range[..PLACES].parse().ok()?, range[PLACES + 1..].parse().ok()?);
    let name =
        SegmentName { hub: hub.to_owned(), partition, first, last, first_enqueued, min_time, max_time }
            .normal();
    // One name has one spelling; others are not ours.
    (name.path_under(root) == path).then_some(name)
}

/// Folder of everything of a hub under a root such as `segments`.
pub(crate) fn hub_folder(root: &str, hub: &str) -> String {
    format!("{root}/v=1/hub={}", hub_part(hub))
}

/// Folder of an hour, by enqueued time.
pub(crate) fn hour_folder(root: &str, hub: &str, time: Micros) -> String {
    format!("{}/hour={:02}", day_folder(root, hub, time), date(time).hour())
}

/// Folder of a day, by enqueued time.
pub(crate) fn day_folder(root: &str, hub: &str, time: Micros) -> String {
    date_folder(&hub_folder(root, hub), time)
}

/// Folder of a day below a root that has its version already, such as `history/v=1`.
pub(crate) fn day_folder_of(root: &str, hub: &str, time: Micros) -> String {
    date_folder(&format!("{root}/hub={}", hub_part(hub)), time)
}

/// Folder of a day below a folder that has everything else in its path.
pub(crate) fn date_folder(folder: &str, time: Micros) -> String {
    let date = date(time);
    format!("{folder}/date={:04}-{:02}-{:02}", date.year(), date.month(), date.day())
}

/// Hub names have letters, digits and hyphens; anything else is escaped as `~` and two hex digits a byte, so that no name
/// can leave its folder. Escaping twice changes nothing.
pub fn hub_part(hub: &str) -> String {
    let mut part = String::with_capacity(hub.len().min(LONGEST_HUB));
    for &byte in hub.as_bytes() {
        let escaped = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("~{byte:02x}"),
        };
        if part.len() + escaped.len() > LONGEST_HUB {
            break;
        }
        part.push_str(&escaped);
    }
    part
}

fn floor(time: Micros) -> Micros {
    time.saturating_sub(time.rem_euclid(MILLISECOND))
}

fn date(time: Micros) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time.clamp(FIRST_STAMP, LAST_STAMP)).unwrap_or_default()
}

pub(crate) fn stamp(time: Micros) -> String {
    let date = date(time);
    let (day, clock) = (date.date_naive(), date.time());
    format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}{:03}",
        day.year(),
        day.month(),
        day.day(),
        clock.hour(),
        clock.minute(),
        clock.second(),
        clock.nanosecond() / 1_000_000
    )
}

fn parse_stamp(text: &str) -> Option<Micros> {
    if text.len() != 17 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let second = NaiveDateTime::parse_from_str(&text[..14], "%Y%m%d%H%M%S").ok()?;
    Some(second.and_utc().timestamp_micros() + text[14..].parse::<Micros>().ok()? * MILLISECOND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use twinwright_core::frame::SequenceRange;

    fn frame(first: i64, last: i64, enqueued: Micros, times: &[Micros]) -> Frame {
        let mut frame = Frame::empty(3, SequenceRange { first, last }, enqueued);
        frame.time = times.to_vec();
        frame
    }

    #[test]
    fn a_name_is_what_the_documentation_says() {
        let start = crate::testing::START;
        let frame = frame(5, 1_004, start + 123_456, &[start - 1, start + 1]);
        assert_eq!(
            path("plant-1", &frame),
            "segments/v=1/hub=plant-1/date=2026-03-04/hour=10/20260304105950123_20260304105949999_20260304105950001_p3_00000000000000000005-00000000000000001004.parquet"
        );
    }

    #[test]
    fn nothing_escapes_from_the_hub_folder() {
        let path = path("../../etc/ü \0", &frame(0, 1, 0, &[]));
        assert!(path.starts_with("segments/v=1/hub=..~2f..~2fetc~2f~c3~bc~20~00/date=1970-01-01/"), "{path}");
        assert_eq!(parse_path(&path).unwrap().path(), path);
    }

    #[test]
    fn foreign_names_are_none() {
        let good = path("h", &frame(5, 9, 0, &[]));
        assert!(parse_path(&good).is_some());
        for bad in [
            good.replace("segments", "other"),
            good.replace("hour=00", "hour=01"),
            good.replace("_p3", "_p03"),
            good.replace("19700101", "19701301"),
            good.replace(".parquet", ".parquet#1"),
            format!("{good}/x"),
            good.replace("00005-", "0000é-"),
            String::new(),
        ] {
            assert_eq!(parse_path(&bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn names_are_read_back_and_never_exclude_a_row(
            first: i64, last: i64, partition: u32, enqueued: Micros, times in prop::collection::vec(any::<Micros>(), 0..4)
        ) {
            let mut frame = frame(first, last, enqueued, &times);
            frame.partition = partition;
            let name = SegmentName::of("plant", &frame);
            prop_assert_eq!(parse_path(&name.path()), Some(name.clone()));
            prop_assert_eq!(parse_path(&name.scores_path()), Some(name.clone()));
            for time in times {
                prop_assert!(name.min_time <= time && time <= name.max_time);
                prop_assert!(name.overlaps(time, time.saturating_add(1)) || time == Micros::MAX);
            }
        }

        #[test]
        fn names_sort_by_enqueued_time_and_then_by_sequence(
            a in 0_i64..4_000_000_000_000_000, b in 0_i64..4_000_000_000_000_000, x in 0_i64.., y in 0_i64..
        ) {
            let name = |enqueued, first| path("h", &frame(first, first, enqueued, &[enqueued]));
            if a / 1_000 != b / 1_000 {
                prop_assert_eq!(name(a, x).cmp(&name(b, y)), (a / 1_000).cmp(&(b / 1_000)));
            }
            prop_assert_eq!(name(a, x).cmp(&name(a, y)), x.cmp(&y));
        }
    }
}
