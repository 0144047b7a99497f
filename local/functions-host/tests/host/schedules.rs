//! Schedules against a slow but obvious search.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use twinwright_local_functions_host::ncrontab::{Cron, Schedule};

fn field(least: u32, most: u32) -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("*".to_owned()),
        2 => (least..=most).prop_map(|value| value.to_string()),
        1 => (1_u32..=12).prop_map(|step| format!("*/{step}")),
        1 => (least..=most, least..=most).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        1 => (least..=most, least..=most).prop_map(|(a, b)| format!("{a},{b}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_next_time_fits_and_none_before_it_does(
        second in field(0, 59), minute in field(0, 59), hour in field(0, 23),
        start in 1_600_000_000_i64..2_000_000_000,
    ) {
        let cron: Cron = format!("{second} {minute} {hour} * * *").parse().unwrap();
        let start: DateTime<Utc> = DateTime::from_timestamp(start, 0).unwrap();
        let next = cron.next_after(start).unwrap();
        prop_assert!(next > start && next - start <= TimeDelta::days(1));
        prop_assert!(cron.fits(next));
        let mut time = start + TimeDelta::seconds(1);
        while time < next {
            prop_assert!(!cron.fits(time), "{time}");
            time += TimeDelta::seconds(1);
        }
    }

    #[test]
    fn days_months_and_weekdays_agree_with_a_search_by_days(
        day in field(1, 28), month in field(1, 12), weekday in field(0, 6),
        start in 1_600_000_000_i64..2_000_000_000,
    ) {
        let cron: Cron = format!("0 0 0 {day} {month} {weekday}").parse().unwrap();
        let start: DateTime<Utc> = DateTime::from_timestamp(start, 0).unwrap();
        let next = cron.next_after(start).unwrap();
        let midnight = start.date_naive().and_hms_opt(0, 0, 0).unwrap().and_utc();
        let expected = (1..).map(|days| midnight + TimeDelta::days(days)).find(|time| cron.fits(*time)).unwrap();
        prop_assert_eq!(next, expected);
    }

    #[test]
    fn no_text_panics(text in "[ -~]{0,40}") {
        let _ = text.parse::<Schedule>();
    }
}
