//! How strictly, and within which bounds, models are parsed.

use crate::element::Language;

/// What to do with contexts and types that nobody here knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UndefinedExtensions {
    /// As each version of the language says: let through in v2, refused in v3.
    #[default]
    ByVersion,
    /// Let through in every version.
    Allow,
    /// Refused in every version.
    Refuse,
}

/// Which rules a model must keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rules {
    /// The language, and what Azure Digital Twins narrows: no interface written inside another.
    #[default]
    DigitalTwins,
    /// The language alone.
    Language,
}

/// Options of a parse. The default is what the service does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Which rules a model must keep.
    pub rules: Rules,
    /// Unknown contexts.
    pub undefined_extensions: UndefinedExtensions,
    /// Newest version of the language that is accepted.
    pub newest: Language,
    /// Forgives in sources what early versions of the official parser forgave: references written as `{"@id": …}`,
    /// reserved prefixes, and two contents of one name, in v2 only.
    pub tolerate_in_sources: bool,
    /// Forgives the same in models that the resolver fetched.
    pub tolerate_in_resolved: bool,
    /// Stops at the first source with errors, as the official parser does; otherwise the errors of all sources are reported.
    pub stop_at_faulty_source: bool,
    /// Most errors that one call reports.
    pub most_errors: usize,
    /// Longest source in bytes. The language limits an interface of v3 to 1 MiB; a source may hold many.
    pub longest_source: usize,
    /// Most calls of the resolver in one parse.
    pub most_rounds: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            undefined_extensions: UndefinedExtensions::default(),
            newest: Language::V3,
            tolerate_in_sources: false,
            tolerate_in_resolved: false,
            stop_at_faulty_source: false,
            most_errors: 100,
            longest_source: 64 << 20,
            most_rounds: 1_000,
        }
    }
}

impl Options {
    /// The rules of the language alone.
    pub fn language() -> Self {
        Self { rules: Rules::Language, ..Self::default() }
    }
}
