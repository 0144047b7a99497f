//! Time spans in the notation of .NET: `[d.]hh:mm:ss[.fffffff]`.

use std::time::Duration;

/// Parses `[d.]hh:mm[:ss[.fffffff]]` or a bare number of days, as .NET does. Negative spans give none.
pub fn parse_timespan(text: &str) -> Option<Duration> {
    let text = text.trim();
    let mut parts: Vec<&str> = text.split(':').collect();
    if parts.len() == 1 {
        return Some(Duration::from_secs(digits(text, 8)?.checked_mul(86_400)?));
    }
    let days = match parts[0].split_once('.') {
        Some((days, hours)) => {
            parts[0] = hours;
            digits(days, 8)?
        }
        None => 0,
    };
    let (seconds, nanos) = match parts.len() {
        2 => (0, 0),
        3 => match parts[2].split_once('.') {
            Some((seconds, fraction)) => {
                let value = digits(fraction, 7)?;
                let scale = 10_u64.pow(9 - u32::try_from(fraction.len()).ok()?);
                (digits(seconds, 2)?, u32::try_from(value * scale).ok()?)
            }
            None => (digits(parts[2], 2)?, 0),
        },
        _ => return None,
    };
    let (hours, minutes) = (digits(parts[0], 2)?, digits(parts[1], 2)?);
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    Some(Duration::new(days * 86_400 + hours * 3_600 + minutes * 60 + seconds, nanos))
}

fn digits(text: &str, most: usize) -> Option<u64> {
    let fine = !text.is_empty() && text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit());
    if fine { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_the_documentation() {
        assert_eq!(parse_timespan("00:00:30"), Some(Duration::from_secs(30)));
        assert_eq!(parse_timespan("1.02:03:04.5"), Some(Duration::from_millis(93_784_500)));
        assert_eq!(parse_timespan("00:05"), Some(Duration::from_secs(300)));
        for wrong in ["", "-1", "00:60:00", "24:00:00", "a:b:c", "0 */5 * * * *", "00:00:00.12345678"] {
            assert_eq!(parse_timespan(wrong), None, "{wrong}");
        }
    }
}
