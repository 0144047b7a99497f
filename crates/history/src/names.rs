//! What a segment's name says, so that readers choose files without opening them.
//!
//! `segments/v=1/hub=<hub>/date=YYYY-MM-DD/hour=HH/<first enqueued>_<min time>_<max time>_p<partition>_<first>-<last>.parquet`
//!
//! The stamps are `yyyyMMddHHmmssfff` in UTC, which Azure Data Explorer reads as a creation time. The earliest is rounded
//! down and the latest up, so a name never excludes a row of its file. Times outside the years 1-9999 (a hostile device
//! can send them) become the first or last stamp, which read back as "no bound". Sequence numbers have 20 places:
//! any 64-bit number fits, and the names of one partition within a millisecond sort as their numbers do.

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
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

/// Reads a path of a segment or of its scores; `None` for anything that this crate would not have written: one name has
/// one spelling. A query reads the names of all segments that wait, so nothing is formatted here to compare with.
pub fn parse_path(path: &str) -> Option<SegmentName> {
    let path = path.strip_prefix("segments/").or_else(|| path.strip_prefix("scores/"))?;
    let (hub, rest) = path.strip_prefix("v=1/hub=")?.split_once('/')?;
    let (date, rest) = rest.split_once('/')?;
    let (hour, file) = rest.split_once('/')?;
    let mut fields = file.strip_suffix(".parquet")?.split('_');
    let stamp = fields.next()?;
    let first_enqueued = parse_stamp(stamp)?;
    let (min_time, max_time) = (parse_stamp(fields.next()?)?, parse_stamp(fields.next()?)?);
    let partition = fields.next()?.strip_prefix('p')?;
    let range = fields.next()?;
    if fields.next().is_some() || range.len() != 2 * PLACES + 1 || !range.is_ascii() {
        return None;
    }
    let (first, last) = range.split_at(PLACES);
    let is_of_its_hour = date.strip_prefix("date=").is_some_and(|date| {
        date.len() == 10
            && (&date[..4], &date[5..7], &date[8..]) == (&stamp[..4], &stamp[4..6], &stamp[6..8])
            && (date.as_bytes()[4], date.as_bytes()[7]) == (b'-', b'-')
    }) && hour.strip_prefix("hour=") == Some(&stamp[8..10]);
    let is_plain = |number: &str| number == "0" || number.starts_with(|digit| matches!(digit, '1'..='9'));
    if !is_of_its_hour || !is_plain(partition) || !is_hub_part(hub) {
        return None;
    }
    let name = SegmentName {
        hub: hub.to_owned(),
        partition: partition.parse().ok()?,
        first: parse_place(first)?,
        last: parse_place(last.strip_prefix('-')?)?,
        first_enqueued,
        min_time,
        max_time,
    };
    Some(name.normal())
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

/// Whether [`hub_part`] leaves it as it is.
fn is_hub_part(hub: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    hub.len() <= LONGEST_HUB && hub.bytes().all(plain)
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

/// A sequence number of [`PLACES`] characters, its sign among them.
fn parse_place(text: &str) -> Option<i64> {
    // A plus sign is never written, nor zero with a minus.
    let number = if text.starts_with('+') { None } else { text.parse().ok() };
    number.filter(|&number| number != 0 || !text.starts_with('-'))
}

fn parse_stamp(text: &str) -> Option<Micros> {
    let digits: &[u8; 17] = text.as_bytes().try_into().ok()?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |from: usize, to: usize| {
        digits[from..to].iter().fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'))
    };
    let year = i32::try_from(number(0, 4)).ok().filter(|&year| year > 0)?;
    let date = NaiveDate::from_ymd_opt(year, number(4, 6), number(6, 8))?;
    let time = date.and_hms_milli_opt(number(8, 10), number(10, 12), number(12, 14), number(14, 17))?;
    Some(time.and_utc().timestamp_micros())
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
            good.replace("_00000000000000000005", "_+0000000000000000005"),
            good.replace("_00000000000000000005", "_-0000000000000000000"),
            good.replace("_19700101000000000_", "_19700101000060000_"),
            good.replace("19700101", "00000101").replace("1970-01-01", "0000-01-01"),
            String::new(),
        ] {
            assert_eq!(parse_path(&bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_name_has_one_spelling(
            first: i64, enqueued: Micros, time: Micros, at in 0_usize..160, byte in "[-+_/=~.0-9a-zé]"
        ) {
            let mut path = path("plant", &frame(first, first.saturating_add(9), enqueued, &[time]));
            let at = at % path.len();
            path.replace_range(at..=at, &byte);
            if let Some(name) = parse_path(&path) {
                let root = if path.starts_with("segments") { "segments" } else { "scores" };
                prop_assert_eq!(name.path_under(root), path);
            }
        }

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
