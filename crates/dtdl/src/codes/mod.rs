//! Codes of errors, each with its words.
//!
//! The codes are those of the official parser, so that whoever knows one knows them here. The words are ours: a sentence that
//! says what is wrong, and one that says what to change.

mod context;
mod element;
mod model;
mod value;

use crate::error::ErrorKind;
use crate::fault::Fault;

/// A code with its kind, what is wrong and what to do. In both texts, `{property}` and its like stand for the fault's own.
pub(crate) struct Code {
    pub(crate) name: &'static str,
    pub(crate) kind: ErrorKind,
    pub(crate) wrong: &'static str,
    pub(crate) fix: &'static str,
}

/// Prefix of the official codes.
pub(crate) const OFFICIAL: &str = "dtmi:dtdl:parsingError:";
/// Prefix of the codes of faults that the official parser does not know or does not number.
pub(crate) const OURS: &str = "dtmi:twinwright:parsingError:";

const TABLES: [&[Code]; 4] = [context::CODES, element::CODES, value::CODES, model::CODES];

/// Every code that can be reported.
pub(crate) fn all() -> impl Iterator<Item = &'static Code> {
    TABLES.into_iter().flatten()
}

/// The words of a code.
pub(crate) fn find(name: &str) -> Option<&'static Code> {
    all().find(|code| code.name == name)
}

impl Code {
    /// True where the official parser has no such code.
    pub(crate) fn is_ours(&self) -> bool {
        model::OURS.contains(&self.name)
    }
}

const fn code(name: &'static str, kind: ErrorKind, wrong: &'static str, fix: &'static str) -> Code {
    Code { name, kind, wrong, fix }
}

/// Longest text of a user that a message repeats, in characters.
const LONGEST_QUOTE: usize = 120;

/// Puts a fault's own into a sentence.
pub(crate) fn fill(template: &str, fault: &Fault) -> String {
    let mut out = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        let value = match name {
            "element" => fault.element.as_deref(),
            "related" => fault.related.as_deref(),
            "property" => fault.property.as_deref(),
            "aux" => fault.aux.as_deref(),
            "kind" => fault.kind.as_deref(),
            "value" => fault.value.as_deref(),
            "restriction" => fault.restriction.as_deref(),
            "more" => fault.transformation.as_deref(),
            _ => None,
        };
        let value = value.unwrap_or("?");
        let value =
            if name == "property" || name == "aux" { crate::meta::metamodel().term(value) } else { value };
        if value.chars().count() > LONGEST_QUOTE && name != "restriction" {
            out.extend(value.chars().take(LONGEST_QUOTE));
            out.push('…');
        } else {
            out.push_str(value);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}
