//! The properties of each class: the grammar of the language as data.

use super::class::{Class, Range};
use super::pattern::Pattern;

/// A property of a class.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) takes: Takes,
}

/// What a property takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Takes {
    /// One text of at most this many UTF-16 units.
    Text {
        longest: usize,
        pattern: Option<Pattern>,
    },
    /// Texts by language.
    Words {
        longest: usize,
    },
    /// A 32-bit number.
    Whole {
        least: Option<i32>,
        most: Option<i32>,
    },
    Flag,
    /// Text, number or boolean.
    Literal,
    /// The identifier of an interface that need not exist.
    Target,
    /// Other elements.
    Elements(Elements),
}

/// A property whose values are elements.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Elements {
    pub(crate) range: Range,
    pub(crate) plural: bool,
    /// Fewest values, once the property is there.
    pub(crate) least: usize,
    /// Most values after inheritance.
    pub(crate) most: Option<usize>,
    /// An element written in place needs an `@id`.
    pub(crate) needs_id: bool,
    /// An element written in place needs a `@type`.
    pub(crate) needs_type: bool,
    /// Versions of the language that a value may be written in.
    pub(crate) versions: &'static [u8],
    /// Values have a `name` that makes them out among one another, and that their identifiers are made of.
    pub(crate) named: bool,
}

const V2: &[u8] = &[2];
const V3: &[u8] = &[3];
const V3_V2: &[u8] = &[3, 2];

const fn text(name: &'static str, longest: usize) -> Rule {
    Rule { name, required: false, takes: Takes::Text { longest, pattern: None } }
}

const fn words(name: &'static str, longest: usize) -> Rule {
    Rule { name, required: false, takes: Takes::Words { longest } }
}

const fn name(longest: usize) -> Rule {
    Rule { name: "name", required: true, takes: Takes::Text { longest, pattern: Some(Pattern::Name) } }
}

const fn flag(name: &'static str) -> Rule {
    Rule { name, required: false, takes: Takes::Flag }
}

const fn whole(name: &'static str, least: i32, most: Option<i32>) -> Rule {
    Rule { name, required: false, takes: Takes::Whole { least: Some(least), most } }
}

const fn single(range: Range, versions: &'static [u8]) -> Elements {
    Elements {
        range,
        plural: false,
        least: 0,
        most: None,
        needs_id: false,
        needs_type: true,
        versions,
        named: false,
    }
}

const fn one(name: &'static str, range: Range, versions: &'static [u8]) -> Rule {
    let elements = Elements { least: 1, ..single(range, versions) };
    Rule { name, required: true, takes: Takes::Elements(elements) }
}

const fn one_with_id(name: &'static str, range: Range, versions: &'static [u8]) -> Rule {
    let elements = Elements { least: 1, needs_id: true, ..single(range, versions) };
    Rule { name, required: true, takes: Takes::Elements(elements) }
}

/// One element whose class follows from its place.
const fn part(name: &'static str, class: Class, versions: &'static [u8], required: bool) -> Rule {
    let least = if required { 1 } else { 0 };
    let elements = Elements { least, needs_type: false, ..single(Range::One(class), versions) };
    Rule { name, required, takes: Takes::Elements(elements) }
}

/// Named elements whose class follows from their place.
const fn parts(name: &'static str, class: Class, version: &'static [u8], most: Option<usize>) -> Rule {
    let required = most.is_some();
    let least = if required { 1 } else { 0 };
    let elements = Elements {
        plural: true,
        least,
        most,
        needs_type: false,
        named: true,
        ..single(Range::One(class), version)
    };
    Rule { name, required, takes: Takes::Elements(elements) }
}

const fn members(name: &'static str, range: Range, versions: &'static [u8], most: Option<usize>) -> Rule {
    let elements = Elements { plural: true, most, named: true, ..single(range, versions) };
    Rule { name, required: false, takes: Takes::Elements(elements) }
}

const fn defined(name: &'static str, range: Range, versions: &'static [u8], most: Option<usize>) -> Rule {
    let elements = Elements { plural: true, most, needs_id: true, ..single(range, versions) };
    Rule { name, required: false, takes: Takes::Elements(elements) }
}

const fn command_type(versions: &'static [u8]) -> Rule {
    let elements = Elements { needs_id: true, ..single(Range::One(Class::CommandType), versions) };
    Rule { name: "commandType", required: false, takes: Takes::Elements(elements) }
}

/// Properties that every element takes.
const COMMON_V2: &[Rule] = &[text("comment", 512), words("description", 512), words("displayName", 64)];
const COMMON_V3: &[Rule] = &[text("comment", 512), words("description", 512), words("displayName", 512)];

const TARGET: Rule = Rule { name: "target", required: false, takes: Takes::Target };
const ENUM_VALUE: Rule = Rule { name: "enumValue", required: true, takes: Takes::Literal };

const fn rules_v2(class: Class) -> &'static [Rule] {
    match class {
        Class::Interface => {
            const {
                &[
                    members("contents", Range::Content, V2, Some(300)),
                    defined("extends", Range::One(Class::Interface), V2, Some(2)),
                    defined("schemas", Range::Complex, V2, None),
                ]
            }
        }
        Class::Property => const { &[name(64), one("schema", Range::Schema, V2), flag("writable")] },
        Class::Telemetry | Class::Field | Class::MapValue | Class::CommandPayload => {
            const { &[name(64), one("schema", Range::Schema, V2)] }
        }
        Class::Component => const { &[name(64), one_with_id("schema", Range::One(Class::Interface), V2)] },
        Class::Command => {
            const {
                &[
                    command_type(V2),
                    name(64),
                    part("request", Class::CommandPayload, V2, false),
                    part("response", Class::CommandPayload, V2, false),
                ]
            }
        }
        Class::Relationship => {
            const {
                &[
                    whole("maxMultiplicity", 1, Some(500)),
                    whole("minMultiplicity", 0, Some(0)),
                    name(64),
                    members("properties", Range::One(Class::Property), V2, Some(300)),
                    TARGET,
                    flag("writable"),
                ]
            }
        }
        Class::Array => const { &[one("elementSchema", Range::Schema, V2)] },
        Class::Enum => {
            const {
                &[
                    parts("enumValues", Class::EnumValue, V2, Some(100)),
                    one_with_id("valueSchema", Range::Primitive, V2),
                ]
            }
        }
        Class::EnumValue => const { &[ENUM_VALUE, name(64)] },
        Class::Map => {
            const { &[part("mapKey", Class::MapKey, V2, true), part("mapValue", Class::MapValue, V2, true)] }
        }
        Class::MapKey => const { &[name(64), one_with_id("schema", Range::One(Class::String), V2)] },
        Class::Object => const { &[parts("fields", Class::Field, V2, Some(30))] },
        _ => &[],
    }
}

const fn rules_v3(class: Class) -> &'static [Rule] {
    match class {
        Class::Interface => {
            const {
                &[
                    members("contents", Range::Content, V3_V2, None),
                    defined("extends", Range::One(Class::Interface), V3_V2, None),
                    defined("schemas", Range::Complex, V3, None),
                ]
            }
        }
        Class::Property => const { &[name(512), one("schema", Range::Schema, V3_V2), flag("writable")] },
        Class::Telemetry
        | Class::Field
        | Class::MapValue
        | Class::CommandRequest
        | Class::CommandResponse => const { &[name(512), one("schema", Range::Schema, V3_V2)] },
        Class::Component => {
            const { &[name(512), one_with_id("schema", Range::One(Class::Interface), V3_V2)] }
        }
        Class::Command => {
            const {
                &[
                    command_type(V3),
                    name(512),
                    part("request", Class::CommandRequest, V3, false),
                    part("response", Class::CommandResponse, V3, false),
                ]
            }
        }
        Class::Relationship => {
            const {
                &[
                    whole("maxMultiplicity", 1, None),
                    whole("minMultiplicity", 0, Some(0)),
                    name(512),
                    members("properties", Range::One(Class::Property), V3_V2, None),
                    TARGET,
                    flag("writable"),
                ]
            }
        }
        Class::Array => const { &[one("elementSchema", Range::Schema, V3_V2)] },
        Class::Enum => {
            const {
                &[
                    parts("enumValues", Class::EnumValue, V3, None),
                    one_with_id("valueSchema", Range::Primitive, V3_V2),
                ]
            }
        }
        Class::EnumValue => const { &[ENUM_VALUE, name(512)] },
        Class::Map => {
            const { &[part("mapKey", Class::MapKey, V3, true), part("mapValue", Class::MapValue, V3, true)] }
        }
        Class::MapKey => const { &[name(512), one_with_id("schema", Range::One(Class::String), V3_V2)] },
        Class::Object => const { &[parts("fields", Class::Field, V3, None)] },
        _ => &[],
    }
}

/// The rules of a class in one version: the common ones, and its own.
pub(crate) fn rules(class: Class, version: u8) -> impl Iterator<Item = &'static Rule> {
    let (common, own) =
        if version == 2 { (COMMON_V2, rules_v2(class)) } else { (COMMON_V3, rules_v3(class)) };
    common.iter().chain(own)
}

/// The rule of a property, given as a term or as `dtmi:dtdl:property:<term>;<version>`.
pub(crate) fn rule(class: Class, version: u8, property: &str) -> Option<&'static Rule> {
    let term = match property.strip_prefix("dtmi:dtdl:property:") {
        Some(rest) => rest.split_once(';').filter(|(_, given)| given.parse() == Ok(version))?.0,
        None => property,
    };
    rules(class, version).find(|rule| rule.name == term)
}
