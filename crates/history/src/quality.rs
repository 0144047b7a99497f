//! The `quality` column: why a row or a value is not to be trusted, as text such as `late;spike:temperature`.
//!
//! Flags of the row stand alone, flags of a signal carry its column's name after a colon. `;`, `:` and `%` in that name
//! are written as `%` and two hex digits. A row without any flag has no text.

use twinwright_core::quality::{RowFlags, SignalFlags};

const ROW_FLAGS: [(u8, &str); 3] =
    [(RowFlags::LATE, "late"), (RowFlags::CLOCK, "clock"), (RowFlags::TYPE, "type")];
const SIGNAL_FLAGS: [(u8, &str); 4] = [
    (SignalFlags::STUCK, "stuck"),
    (SignalFlags::SPIKE, "spike"),
    (SignalFlags::RANGE, "range"),
    (SignalFlags::UNIT, "unit"),
];

/// One flag that was read: of the row, or of the signal of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// Column of the signal, `None` for the row's own flag.
    pub column: Option<String>,
    /// One bit of [`RowFlags`] or [`SignalFlags`].
    pub bit: u8,
}

/// Writes a row's flags; `None` when there are none. Bits that have no name yet are written as `bit<number>`.
pub fn write<'a>(row: u8, signals: impl IntoIterator<Item = (&'a str, u8)>) -> Option<String> {
    let mut text = String::new();
    append(&mut text, row, &ROW_FLAGS, None);
    for (column, flags) in signals {
        if flags != 0 {
            append(&mut text, flags, &SIGNAL_FLAGS, Some(column));
        }
    }
    (!text.is_empty()).then_some(text)
}

/// Reads what [`write`] wrote; `None` for other text.
pub fn read(text: &str) -> Option<Vec<Flag>> {
    let flag = |part: &str| {
        let (name, column) = match part.split_once(':') {
            Some((name, column)) => (name, Some(unescape(column)?)),
            None => (part, None),
        };
        let names: &[(u8, &str)] = if column.is_some() { &SIGNAL_FLAGS } else { &ROW_FLAGS };
        let known = names.iter().find(|(_, known)| *known == name).map(|(bit, _)| *bit);
        let number =
            || name.strip_prefix("bit")?.parse().ok().filter(|shift| *shift < 8).map(|shift: u32| 1 << shift);
        Some(Flag { column, bit: known.or_else(number)? })
    };
    text.split(';').map(flag).collect()
}

fn append(text: &mut String, flags: u8, names: &[(u8, &str)], column: Option<&str>) {
    for shift in 0..8_u32 {
        let bit = 1 << shift;
        if flags & bit == 0 {
            continue;
        }
        if !text.is_empty() {
            text.push(';');
        }
        match names.iter().find(|(named, _)| *named == bit) {
            Some((_, name)) => text.push_str(name),
            None => text.push_str(&format!("bit{shift}")),
        }
        if let Some(column) = column {
            text.push(':');
            escape(text, column);
        }
    }
}

fn escape(text: &mut String, column: &str) {
    for character in column.chars() {
        match character {
            ';' => text.push_str("%3B"),
            ':' => text.push_str("%3A"),
            '%' => text.push_str("%25"),
            _ => text.push(character),
        }
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut column = parts.next()?.to_owned();
    for part in parts {
        column.push(match part.get(..2)? {
            "3B" => ';',
            "3A" => ':',
            "25" => '%',
            _ => return None,
        });
        column.push_str(&part[2..]);
    }
    Some(column)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_for_people_too() {
        let flags = [
            ("temperature", SignalFlags::SPIKE),
            ("speed", 0),
            ("a:b", SignalFlags::STUCK | SignalFlags::UNIT),
        ];
        assert_eq!(
            write(RowFlags::LATE, flags).as_deref(),
            Some("late;spike:temperature;stuck:a%3Ab;unit:a%3Ab")
        );
        assert_eq!(write(0, [("speed", 0)]), None);
        for bad in ["", "late;", "new", "late:x", "spike", "spike:%4", "spike:%41", "bit9", "bit"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn flags_are_read_back(row: u8, signals in prop::collection::vec((".*", any::<u8>()), 0..4)) {
            let text = write(row, signals.iter().map(|(name, flags)| (name.as_str(), *flags)));
            let expected = |column: Option<&str>, flags: u8| {
                let column = column.map(str::to_owned);
                (0..8).map(|shift| 1 << shift).filter(move |bit| flags & bit != 0)
                    .map(move |bit| Flag { column: column.clone(), bit }).collect::<Vec<_>>()
            };
            let mut all = expected(None, row);
            for (name, flags) in &signals {
                all.extend(expected(Some(name), *flags));
            }
            match text {
                Some(text) => prop_assert_eq!(read(&text), Some(all)),
                None => prop_assert!(all.is_empty()),
            }
        }
    }
}
