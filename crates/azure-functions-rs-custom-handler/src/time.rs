//! Times as the host writes them: ISO 8601, with or without a zone, zero to nine digits of fraction.

const MICROS_PER_SECOND: i64 = 1_000_000;

/// Reads `2024-05-17T16:13:45[.1234567][Z|+02:00]` into microseconds since 1970 UTC.
///
/// Event Hubs times come without a zone and are UTC (Json.NET writes a `DateTime` of unspecified
/// kind so), hence no zone means UTC. Digits below the microsecond are cut off.
pub(crate) fn parse_time(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_first_chunk::<10>()?;
    let (clock, rest) = rest.split_first_chunk::<9>()?;
    if date[4] != b'-' || date[7] != b'-' || clock[0] != b'T' || clock[3] != b':' || clock[6] != b':' {
        return None;
    }
    let year = pair(date[0], date[1])? * 100 + pair(date[2], date[3])?;
    let month = pair(date[5], date[6])?;
    let day = pair(date[8], date[9])?;
    let hour = pair(clock[1], clock[2])?;
    let minute = pair(clock[4], clock[5])?;
    let second = pair(clock[7], clock[8])?;
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (fraction, zone) = split_fraction(rest)?;
    let days = days_since_1970(year, month, day);
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - zone_seconds(zone)?;
    Some(seconds * MICROS_PER_SECOND + fraction)
}

fn split_fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', digits)) = rest.split_first() else { return Some((0, rest)) };
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 || length > 9 {
        return None;
    }
    let (digits, zone) = digits.split_at(length);
    let micros =
        (0..6).fold(0, |sum, place| sum * 10 + digits.get(place).map_or(0, |digit| i64::from(digit - b'0')));
    Some((micros, zone))
}

fn zone_seconds(zone: &[u8]) -> Option<i64> {
    match zone {
        [] | [b'Z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (pair(*h1, *h2)?, pair(*m1, *m2)?);
            if hours > 14 || minutes > 59 {
                return None;
            }
            let seconds = hours * 3_600 + minutes * 60;
            Some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn pair(tens: u8, ones: u8) -> Option<i64> {
    if tens.is_ascii_digit() && ones.is_ascii_digit() {
        Some(i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    } else {
        None
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days of the proleptic Gregorian calendar, with years that begin in March so that the leap day
/// comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`parse_time`], in the form Json.NET gives a `DateTime` without a zone: fraction
/// only where there is one, trailing zeros cut.
pub(crate) fn format_time(micros: i64) -> String {
    let seconds = micros.div_euclid(MICROS_PER_SECOND);
    let fraction = micros.rem_euclid(MICROS_PER_SECOND);
    let (days, clock) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let mut text = format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
        clock / 3_600,
        clock / 60 % 60,
        clock % 60
    );
    if fraction != 0 {
        let digits = format!("{fraction:06}");
        text.push('.');
        text.push_str(digits.trim_end_matches('0'));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{format_time, parse_time};

    #[test]
    fn reads_every_form_the_host_writes() {
        let base = 1_715_962_425_000_000;
        for (text, expected) in [
            ("2024-05-17T16:13:45", base),
            ("2024-05-17T16:13:45Z", base),
            ("2024-05-17T16:13:45.123", base + 123_000),
            ("2024-05-17T16:13:45.1234567", base + 123_456),
            ("2024-05-17T18:13:45.5+02:00", base + 500_000),
            ("2024-05-17T14:13:45-02:00", base),
            ("1970-01-01T00:00:00", 0),
            ("2000-02-29T00:00:00", 951_782_400_000_000),
        ] {
            assert_eq!(parse_time(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "2024-05-17",
            "2024-13-01T00:00:00",
            "2023-02-29T00:00:00",
            "2024-05-17T24:00:00",
            "2024-05-17T16:13:45.",
            "2024-05-17T16:13:45x",
            "2024-05-17T16:13:45+2:00",
            "05/17/2024 16:13:45",
        ] {
            assert_eq!(parse_time(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        for micros in [-62_135_596_800_000_000, -1, 0, 1, 951_782_399_999_999, 1_715_962_425_120_000] {
            assert_eq!(parse_time(format_time(micros).as_bytes()), Some(micros));
        }
    }
}
