//! Values of expressions.

use std::cmp::Ordering;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use twinwright_core::time::{Micros, iso, parse_iso};

use crate::interval;

/// A value; any may be absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// There is none.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Long(i64),
    /// A number.
    Double(f64),
    /// A text.
    String(Arc<str>),
    /// Microseconds since 1970, UTC.
    DateTime(Micros),
    /// Microseconds.
    TimeSpan(Micros),
}

/// Types as the API names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ValueType {
    /// `Bool`
    #[serde(alias = "bool")]
    Bool,
    /// `Long`
    #[serde(alias = "long")]
    Long,
    /// `Double`
    #[serde(alias = "double")]
    Double,
    /// `String`
    #[serde(alias = "string")]
    String,
    /// `DateTime`
    #[serde(alias = "datetime", alias = "dateTime")]
    DateTime,
    /// `TimeSpan`
    #[serde(alias = "timespan", alias = "timeSpan")]
    TimeSpan,
}

impl ValueType {
    /// By its name, whatever the case.
    pub fn parse(text: &str) -> Option<Self> {
        let all = [
            ("bool", Self::Bool),
            ("long", Self::Long),
            ("double", Self::Double),
            ("string", Self::String),
            ("datetime", Self::DateTime),
            ("timespan", Self::TimeSpan),
        ];
        all.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, kind)| *kind)
    }
}

impl Value {
    /// Its type; none of an absent one.
    pub fn kind(&self) -> Option<ValueType> {
        Some(match self {
            Self::Null => return None,
            Self::Bool(_) => ValueType::Bool,
            Self::Long(_) => ValueType::Long,
            Self::Double(_) => ValueType::Double,
            Self::String(_) => ValueType::String,
            Self::DateTime(_) => ValueType::DateTime,
            Self::TimeSpan(_) => ValueType::TimeSpan,
        })
    }

    /// Whether it is absent.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// As a number, where it is one.
    #[expect(clippy::cast_precision_loss, reason = "what Double means of a whole number")]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Long(value) => Some(*value as f64),
            Self::Double(value) if value.is_finite() => Some(*value),
            _ => None,
        }
    }

    /// As the type says; absent where it cannot be.
    pub fn cast(&self, kind: ValueType) -> Self {
        match (kind, self) {
            (_, Self::Null) => Self::Null,
            (ValueType::Double, _) => self.to_double(),
            (ValueType::Long, _) => self.to_long(),
            (ValueType::String, _) => self.to_text(),
            (ValueType::Bool, Self::Bool(_))
            | (ValueType::DateTime, Self::DateTime(_))
            | (ValueType::TimeSpan, Self::TimeSpan(_)) => self.clone(),
            (ValueType::Bool, Self::Double(value)) => Self::Bool(*value != 0.0),
            (ValueType::Bool, Self::Long(value)) => Self::Bool(*value != 0),
            (ValueType::Bool, Self::String(text)) if text.eq_ignore_ascii_case("true") => Self::Bool(true),
            (ValueType::Bool, Self::String(text)) if text.eq_ignore_ascii_case("false") => Self::Bool(false),
            (ValueType::DateTime, Self::String(text)) => parse_iso(text).map_or(Self::Null, Self::DateTime),
            (ValueType::TimeSpan, Self::String(text)) => {
                interval::parse(text).map_or(Self::Null, Self::TimeSpan)
            }
            _ => Self::Null,
        }
    }

    fn to_double(&self) -> Self {
        match self {
            Self::Bool(value) => Self::Double(f64::from(u8::from(*value))),
            Self::String(text) => finite(text.trim().parse().unwrap_or(f64::NAN)),
            _ => self.number().map_or(Self::Null, Self::Double),
        }
    }

    fn to_long(&self) -> Self {
        match self {
            Self::Long(value) => Self::Long(*value),
            Self::Bool(value) => Self::Long(i64::from(*value)),
            Self::Double(value) => whole(value.trunc()),
            Self::String(text) => text.trim().parse().map_or(Self::Null, Self::Long),
            _ => Self::Null,
        }
    }

    fn to_text(&self) -> Self {
        let text = match self {
            Self::Null => return Self::Null,
            Self::String(text) => return Self::String(Arc::clone(text)),
            Self::Bool(value) => value.to_string(),
            Self::Long(value) => value.to_string(),
            Self::Double(value) => value.to_string(),
            Self::DateTime(value) => iso(*value),
            Self::TimeSpan(value) => interval::format(*value),
        };
        Self::String(text.into())
    }

    /// In JSON.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => json!(value),
            Self::Long(value) => json!(value),
            Self::Double(value) => json!(value),
            Self::String(text) => json!(&**text),
            Self::DateTime(value) => json!(iso(*value)),
            Self::TimeSpan(value) => json!(interval::format(*value)),
        }
    }

    /// The order of two values of one kind; numbers are one kind.
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Long(a), Self::Long(b))
            | (Self::DateTime(a), Self::DateTime(b))
            | (Self::TimeSpan(a), Self::TimeSpan(b)) => Some(a.cmp(b)),
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::String(a), Self::String(b)) => Some(a.cmp(b)),
            _ => self.number()?.partial_cmp(&other.number()?),
        }
    }
}

/// A number that is one, else nothing.
pub(crate) fn finite(value: f64) -> Value {
    if value.is_finite() { Value::Double(value) } else { Value::Null }
}

/// A whole number that fits, else nothing.
#[expect(clippy::cast_possible_truncation, reason = "bounds are checked first")]
pub(crate) fn whole(value: f64) -> Value {
    let fits = value.is_finite() && value.abs() < 9.2e18;
    if fits { Value::Long(value as i64) } else { Value::Null }
}
