//! Semantic types (such as `Temperature`) and the units that go with them.

mod table;

use crate::context::{Extension, Scope};
use crate::element::Language;

/// The units of a semantic type, or nothing where the scope knows no such type.
pub(crate) fn units_of(scope: &Scope, semantic_type: &str) -> Option<&'static [&'static str]> {
    let families = match scope.language {
        Language::V2 => table::VERSION_2,
        Language::V3 if scope.extensions.contains(&Extension::QuantitativeTypes) => table::QUANTITATIVE_1,
        Language::V3 => return None,
    };
    families.iter().find(|(types, _)| types.contains(&semantic_type)).map(|(_, units)| *units)
}

/// Strips the long form of a semantic type or unit, as in `dtmi:standard:class:Temperature;2`.
pub(crate) fn short_term(text: &str) -> &str {
    const LONG: [&str; 4] = [
        "dtmi:standard:class:",
        "dtmi:standard:unit:",
        "dtmi:dtdl:extension:quantitativeTypes:v1:class:",
        "dtmi:dtdl:extension:quantitativeTypes:v1:unit:",
    ];
    for prefix in LONG {
        if let Some(rest) = text.strip_prefix(prefix) {
            return rest.split(';').next().unwrap_or(rest);
        }
    }
    text
}
