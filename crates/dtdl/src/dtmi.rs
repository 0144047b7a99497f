//! Digital twin model identifiers, as in `dtmi:manufacturing:Equipment;1`.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::element::Language;

/// Longest identifier of any element that a user writes, in characters (DTDL v2 and v3, "Digital Twin Model Identifier").
pub const MAX_IDENTIFIER: usize = 2048;
/// Longest identifier of an interface, in characters.
pub const MAX_INTERFACE_IDENTIFIER: usize = 128;

/// A well-formed digital twin model identifier. Compared case-sensitively, cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dtmi(Arc<str>);

/// Why a text is no digital twin model identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DtmiError {
    /// The text does not begin with `dtmi:`.
    #[error("'{0}' is not a DTMI: begin it with 'dtmi:', as in dtmi:example:Pump;1")]
    Scheme(String),
    /// A segment of the path breaks the naming rule.
    #[error(
        "segment '{segment}' of '{id}' is not allowed: use letters, digits and underscores, a letter first and no underscore last"
    )]
    Segment {
        /// The whole identifier.
        id: String,
        /// The segment at fault.
        segment: String,
    },
    /// The version is missing or malformed.
    #[error("'{0}' has no valid version: end it with ';' and a whole number from 1 to 999999999, as in ;1")]
    Version(String),
    /// The identifier is too long.
    #[error("the identifier has {0} characters: shorten it to {MAX_IDENTIFIER} at most")]
    TooLong(usize),
}

impl Dtmi {
    /// Parses by the rules of one language version: v2 needs an integer version; v3 also takes none, or major.minor.
    pub fn parse(text: &str, language: Language) -> Result<Self, DtmiError> {
        if text.len() > MAX_IDENTIFIER {
            return Err(DtmiError::TooLong(text.len()));
        }
        let rest = text.strip_prefix("dtmi:").ok_or_else(|| DtmiError::Scheme(text.to_owned()))?;
        let (path, version) = match rest.split_once(';') {
            Some((path, version)) => (path, Some(version)),
            None => (rest, None),
        };
        for segment in path.split(':') {
            if !is_segment(segment) {
                return Err(DtmiError::Segment { id: text.to_owned(), segment: segment.to_owned() });
            }
        }
        let valid = match (version, language) {
            (None, Language::V2) => false,
            (None, Language::V3) => true,
            (Some(version), Language::V2) => is_number(version, 9),
            (Some(version), Language::V3) => match version.split_once('.') {
                Some((major, minor)) => is_number(major, 9) && is_number(minor, 6),
                None => is_number(version, 9),
            },
        };
        if valid { Ok(Self(Arc::from(text))) } else { Err(DtmiError::Version(text.to_owned())) }
    }

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Everything before the version, as in `dtmi:manufacturing:Equipment`.
    pub fn path(&self) -> &str {
        self.0.split(';').next().unwrap_or(&self.0)
    }

    /// Major and minor version; a missing version is 0.0, a missing minor is 0.
    pub fn version(&self) -> (u32, u32) {
        let version = self.0.split_once(';').map_or("", |(_, version)| version);
        let (major, minor) = version.split_once('.').unwrap_or((version, ""));
        (major.parse().unwrap_or(0), minor.parse().unwrap_or(0))
    }

    /// True for the prefixes that only the language itself may define.
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with("dtmi:dtdl:") || self.0.starts_with("dtmi:standard:")
    }
}

/// A segment: a letter first, then letters, digits and underscores, no underscore last.
fn is_segment(segment: &str) -> bool {
    is_name(segment)
}

/// The rule that names and segments share.
pub(crate) fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    first.is_ascii_alphabetic()
        && last.is_ascii_alphanumeric()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

fn is_number(text: &str, most_digits: usize) -> bool {
    !text.is_empty()
        && text.len() <= most_digits
        && !text.starts_with('0')
        && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl FromStr for Dtmi {
    type Err = DtmiError;

    /// Parses by the rules of v3, the wider of the two.
    fn from_str(text: &str) -> Result<Self, DtmiError> {
        Self::parse(text, Language::V3)
    }
}

impl fmt::Display for Dtmi {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Dtmi {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Borrow<str> for Dtmi {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl serde::Serialize for Dtmi {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_follow_the_language() {
        assert!(Dtmi::parse("dtmi:a:b_c1;1", Language::V2).is_ok());
        assert!(Dtmi::parse("dtmi:a:b", Language::V2).is_err());
        assert!(Dtmi::parse("dtmi:a:b;1.2", Language::V2).is_err());
        assert!(Dtmi::parse("dtmi:a:b", Language::V3).is_ok());
        assert!(Dtmi::parse("dtmi:a:b;1.2", Language::V3).is_ok());
        for bad in [
            "dtmi:a:b;0",
            "dtmi:a:b;01",
            "dtmi:a:b;1.0",
            "dtmi:a:b;1234567890",
            "dtmi:a:b;1.1234567",
            "dtmi:a:b;",
        ] {
            assert!(Dtmi::parse(bad, Language::V3).is_err(), "{bad}");
        }
    }

    #[test]
    fn segments_follow_the_rule() {
        for bad in [
            "dtmi:;1",
            "dtmi:a::b;1",
            "dtmi:1a;1",
            "dtmi:a_;1",
            "dtmi:_a;1",
            "dtmi:a b;1",
            "urn:a;1",
            "dtmi:ä;1",
        ] {
            assert!(Dtmi::parse(bad, Language::V3).is_err(), "{bad}");
        }
    }

    #[test]
    fn version_numbers_compare() {
        let id: Dtmi = "dtmi:a:b;3.2".parse().unwrap();
        assert_eq!(id.version(), (3, 2));
        assert_eq!(id.path(), "dtmi:a:b");
        assert_eq!("dtmi:a:b".parse::<Dtmi>().unwrap().version(), (0, 0));
    }
}
