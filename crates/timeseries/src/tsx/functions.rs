//! Functions of expressions.

use calendar::{Fields, fields};
use twinwright_core::time::Micros;

use crate::value::finite;
use crate::{Value, ValueType};

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it, and are those of the language")]
pub enum Function {
    ToDouble,
    ToLong,
    ToString,
    Round,
    Ceiling,
    Floor,
    Abs,
    Sqrt,
    Exp,
    Log,
    Log10,
    Power,
    Sin,
    Cos,
    Tan,
    Asin,
    Acos,
    Atan,
    Atan2,
    MonthOfYear,
    DayOfMonth,
    HourOfDay,
    UtcNow,
    ToUpper,
    ToLower,
    StrLen,
    StrCat,
    SubString,
    Trim,
    IndexOf,
    Replace,
    StartsWith,
    EndsWith,
    Contains,
    Coalesce,
    Iff,
}

use Function as F;

/// Name, function, least and most arguments.
const ALL: [(&str, Function, usize, usize); 36] = [
    ("toDouble", F::ToDouble, 1, 1),
    ("toLong", F::ToLong, 1, 1),
    ("toString", F::ToString, 1, 1),
    ("round", F::Round, 1, 2),
    ("ceiling", F::Ceiling, 1, 1),
    ("floor", F::Floor, 1, 1),
    ("abs", F::Abs, 1, 1),
    ("sqrt", F::Sqrt, 1, 1),
    ("exp", F::Exp, 1, 1),
    ("log", F::Log, 1, 1),
    ("log10", F::Log10, 1, 1),
    ("power", F::Power, 2, 2),
    ("sin", F::Sin, 1, 1),
    ("cos", F::Cos, 1, 1),
    ("tan", F::Tan, 1, 1),
    ("asin", F::Asin, 1, 1),
    ("acos", F::Acos, 1, 1),
    ("atan", F::Atan, 1, 1),
    ("atan2", F::Atan2, 2, 2),
    ("monthOfYear", F::MonthOfYear, 1, 1),
    ("dayOfMonth", F::DayOfMonth, 1, 1),
    ("hourOfDay", F::HourOfDay, 1, 1),
    ("utcNow", F::UtcNow, 0, 0),
    ("toUpper", F::ToUpper, 1, 1),
    ("toLower", F::ToLower, 1, 1),
    ("strLen", F::StrLen, 1, 1),
    ("strCat", F::StrCat, 2, 32),
    ("subString", F::SubString, 2, 3),
    ("trim", F::Trim, 1, 1),
    ("indexOf", F::IndexOf, 2, 2),
    ("replace", F::Replace, 3, 3),
    ("startsWith", F::StartsWith, 2, 2),
    ("endsWith", F::EndsWith, 2, 2),
    ("contains", F::Contains, 2, 2),
    ("coalesce", F::Coalesce, 2, 32),
    ("iff", F::Iff, 3, 3),
];
/// Characters that a text made by an expression may have.
const LONGEST_TEXT: usize = 65_536;

impl Function {
    /// By its name, whatever the case.
    pub fn by_name(name: &str) -> Option<Self> {
        ALL.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name)).map(|(_, function, ..)| *function)
    }

    pub(super) fn check(self, count: usize) -> Result<(), String> {
        let Some((name, _, least, most)) = ALL.iter().find(|(_, function, ..)| *function == self) else {
            return Ok(());
        };
        if (*least..=*most).contains(&count) {
            return Ok(());
        }
        let wanted = if least == most { least.to_string() } else { format!("{least} to {most}") };
        Err(format!("{name} takes {wanted} arguments, it has {count}"))
    }

    pub(super) fn call(self, arguments: &[Value], now: Micros) -> Value {
        let at = |place: usize| arguments.get(place).unwrap_or(&Value::Null);
        let math =
            |function: fn(f64) -> f64| at(0).number().map_or(Value::Null, |value| finite(function(value)));
        let text = |place: usize| match at(place) {
            Value::String(text) => Some(text.as_ref()),
            _ => None,
        };
        let string = |made: Option<String>| {
            made.filter(|made| made.len() <= LONGEST_TEXT)
                .map_or(Value::Null, |made| Value::String(made.into()))
        };
        let date = |part: fn(&Fields) -> i64| match at(0) {
            Value::DateTime(time) => Value::Long(part(&fields(*time))),
            _ => Value::Null,
        };
        match self {
            F::ToDouble => at(0).cast(ValueType::Double),
            F::ToLong => at(0).cast(ValueType::Long),
            F::ToString => at(0).cast(ValueType::String),
            F::Round => match (at(0).number(), at(1)) {
                (Some(value), Value::Null) => finite(value.round()),
                (Some(value), Value::Long(places @ 0..=15)) => {
                    let scale = 10_f64.powi(i32::try_from(*places).unwrap_or(0));
                    finite((value * scale).round() / scale)
                }
                _ => Value::Null,
            },
            F::Ceiling => math(f64::ceil),
            F::Floor => math(f64::floor),
            F::Abs => math(f64::abs),
            F::Sqrt => math(f64::sqrt),
            F::Exp => math(f64::exp),
            F::Log => math(f64::ln),
            F::Log10 => math(f64::log10),
            F::Power => two(arguments, f64::powf),
            F::Sin => math(f64::sin),
            F::Cos => math(f64::cos),
            F::Tan => math(f64::tan),
            F::Asin => math(f64::asin),
            F::Acos => math(f64::acos),
            F::Atan => math(f64::atan),
            F::Atan2 => two(arguments, f64::atan2),
            F::MonthOfYear => date(|fields| fields.month),
            F::DayOfMonth => date(|fields| fields.day),
            F::HourOfDay => date(|fields| fields.hour),
            F::UtcNow => Value::DateTime(now),
            F::ToUpper => string(text(0).map(str::to_uppercase)),
            F::ToLower => string(text(0).map(str::to_lowercase)),
            F::StrLen => text(0).map_or(Value::Null, |text| count(text.chars().count())),
            F::StrCat => string((0..arguments.len()).map(text).collect()),
            F::SubString => string(sub_string(text(0), at(1), arguments.get(2))),
            F::Trim => string(text(0).map(|text| text.trim().to_owned())),
            F::IndexOf => match (text(0), text(1)) {
                (Some(text), Some(part)) => match text.find(part) {
                    Some(place) => count(text[..place].chars().count()),
                    None => Value::Long(-1),
                },
                _ => Value::Null,
            },
            F::Replace => match (text(0), text(1), text(2)) {
                // An empty part would be found everywhere.
                (Some(text), Some(part), Some(with)) if !part.is_empty() => {
                    let longest =
                        text.len().saturating_add(text.matches(part).count().saturating_mul(with.len()));
                    if longest > LONGEST_TEXT { Value::Null } else { string(Some(text.replace(part, with))) }
                }
                _ => Value::Null,
            },
            F::StartsWith => both(text(0), text(1), |text, part| text.starts_with(part)),
            F::EndsWith => both(text(0), text(1), |text, part| text.ends_with(part)),
            F::Contains => both(text(0), text(1), |text, part| text.contains(part)),
            F::Coalesce => arguments.iter().find(|value| !value.is_null()).cloned().unwrap_or_default(),
            F::Iff => {
                if *at(0) == Value::Bool(true) {
                    at(1).clone()
                } else {
                    at(2).clone()
                }
            }
        }
    }
}

fn count(count: usize) -> Value {
    Value::Long(i64::try_from(count).unwrap_or(i64::MAX))
}

fn two(arguments: &[Value], function: fn(f64, f64) -> f64) -> Value {
    match arguments {
        [a, b] => a.number().zip(b.number()).map_or(Value::Null, |(a, b)| finite(function(a, b))),
        _ => Value::Null,
    }
}

fn both(text: Option<&str>, part: Option<&str>, holds: fn(&str, &str) -> bool) -> Value {
    text.zip(part).map_or(Value::Null, |(text, part)| Value::Bool(holds(text, part)))
}

fn sub_string(text: Option<&str>, start: &Value, length: Option<&Value>) -> Option<String> {
    let Value::Long(start) = start else { return None };
    let start = usize::try_from(*start).ok()?;
    let length = match length {
        None => usize::MAX,
        Some(Value::Long(length)) => usize::try_from(*length).ok()?,
        Some(_) => return None,
    };
    Some(text?.chars().skip(start).take(length).collect())
}

/// The parts of a date.
mod calendar {
    use twinwright_core::time::{Micros, SECOND};

    /// Month, day and hour of a time, UTC.
    pub(super) struct Fields {
        pub(super) month: i64,
        pub(super) day: i64,
        pub(super) hour: i64,
    }

    /// Days since 1970 as a date of the Gregorian calendar, counted in years that begin in March.
    pub(super) fn fields(time: Micros) -> Fields {
        let days = time.div_euclid(86_400 * SECOND);
        let hour = time.rem_euclid(86_400 * SECOND) / (3_600 * SECOND);
        let shifted = days + 719_468;
        let of_era = shifted.rem_euclid(146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let shifted_month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        Fields { month, day, hour }
    }
}
