//! RFC 3339 dates and times and ISO 8601 durations, checked by hand.

/// `2026-01-31`
pub(crate) fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return false;
    }
    let (Some(year), Some(month), Some(day)) =
        (number(&bytes[..4]), number(&bytes[5..7]), number(&bytes[8..]))
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    year >= 1 && (1..=days).contains(&day)
}

/// `13:45:30.25Z`; the offset may be missing.
pub(crate) fn is_time(text: &str) -> bool {
    let (clock, offset) = match text.find(['Z', 'z', '+', '-']) {
        Some(position) => text.split_at(position),
        None => (text, ""),
    };
    let (whole, fraction) = match clock.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (clock, None),
    };
    let bytes = whole.as_bytes();
    let well_formed = bytes.len() == 8 && bytes[2] == b':' && bytes[5] == b':';
    if !well_formed
        || fraction
            .is_some_and(|digits| digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return false;
    }
    let in_range = |bytes: &[u8], most: u32| number(bytes).is_some_and(|number| number <= most);
    in_range(&bytes[..2], 23) && in_range(&bytes[3..5], 59) && in_range(&bytes[6..], 59) && is_offset(offset)
}

/// A date, `T` and a time with its offset.
pub(crate) fn is_date_time(text: &str) -> bool {
    match text.split_once(['T', 't']) {
        Some((date, time)) => is_date(date) && is_time(time) && time.contains(['Z', 'z', '+', '-']),
        None => false,
    }
}

fn is_offset(text: &str) -> bool {
    let bytes = text.as_bytes();
    match bytes.first() {
        None => true,
        Some(b'Z' | b'z') => bytes.len() == 1,
        _ => {
            bytes.len() == 6
                && bytes[3] == b':'
                && number(&bytes[1..3]).is_some_and(|hours| hours <= 23)
                && number(&bytes[4..]).is_some_and(|minutes| minutes <= 59)
        }
    }
}

/// `P1Y2M3W4DT5H6M7.8S`, with at least one part, its letters in order and a fraction only in the last part.
pub(crate) fn is_duration(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let Some(rest) = text.strip_prefix('P') else { return false };
    let (date, time) = match rest.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (rest, None),
    };
    // Weeks stand with days alone, never with years or months.
    let date_fits = parts(date, "YMD", time.is_none()) || parts(date, "WD", time.is_none());
    date_fits && time.map_or(!date.is_empty(), |time| !time.is_empty() && parts(time, "HMS", true))
}

/// Numbers each followed by one of `letters`, in that order, each once.
fn parts(mut text: &str, letters: &str, fraction_last: bool) -> bool {
    let mut left = letters;
    while !text.is_empty() {
        let (mut digits, mut fraction) = (text.bytes().take_while(u8::is_ascii_digit).count(), false);
        if digits == 0 {
            return false;
        }
        if let Some(rest) = text[digits..].strip_prefix('.') {
            let more = rest.bytes().take_while(u8::is_ascii_digit).count();
            if more == 0 {
                return false;
            }
            (digits, fraction) = (digits + 1 + more, true);
        }
        text = &text[digits..];
        let Some(letter) = text.chars().next() else { return false };
        let Some(position) = left.find(letter) else { return false };
        left = &left[position + letter.len_utf8()..];
        text = &text[letter.len_utf8()..];
        if fraction && !(fraction_last && text.is_empty()) {
            return false;
        }
    }
    true
}

fn number(bytes: &[u8]) -> Option<u32> {
    let digits = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    if !digits {
        return None;
    }
    bytes.iter().try_fold(0_u32, |number, digit| number.checked_mul(10)?.checked_add(u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_times_and_durations() {
        assert!(
            is_date("2024-02-29") && !is_date("2023-02-29") && !is_date("2023-2-9") && !is_date("20éé-02-2")
        );
        assert!(
            is_time("23:59:59.123Z")
                && is_time("00:00:00+02:00")
                && !is_time("24:00:00Z")
                && !is_time("06:00Z")
        );
        assert!(is_date_time("2024-01-01T00:00:00Z") && !is_date_time("2024-01-01"));
        for good in ["P1D", "PT0.5S", "P1Y2M3DT4H5M6S", "PT36H", "P2W"] {
            assert!(is_duration(good), "{good}");
        }
        for bad in ["", "P", "PT", "P1DT", "1D", "PT1D", "P1H", "P1.5DT1H", "PT1S2M", "Pé"] {
            assert!(!is_duration(bad), "{bad}");
        }
    }
}
