//! The classes of DTDL and the properties that each takes: the grammar as data.

use crate::element::Language;

/// A class that an element of a document may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Interface,
    Property,
    Telemetry,
    Command,
    Relationship,
    Component,
    CommandPayload,
    CommandRequest,
    CommandResponse,
    Array,
    Enum,
    EnumValue,
    Map,
    MapKey,
    MapValue,
    Object,
    Field,
}

pub(crate) const CONTENT: &[Class] =
    &[Class::Property, Class::Telemetry, Class::Command, Class::Relationship, Class::Component];
pub(crate) const COMPLEX: &[Class] = &[Class::Array, Class::Enum, Class::Map, Class::Object];

/// A property of a class: its term, and whether it must be there.
pub(crate) type Term = (&'static str, bool);

impl Class {
    pub(crate) fn from_term(term: &str, language: Language) -> Option<Self> {
        Some(match term {
            "Interface" => Self::Interface,
            "Property" => Self::Property,
            "Telemetry" => Self::Telemetry,
            "Command" => Self::Command,
            "Relationship" => Self::Relationship,
            "Component" => Self::Component,
            "CommandPayload" if language == Language::V2 => Self::CommandPayload,
            "CommandRequest" if language == Language::V3 => Self::CommandRequest,
            "CommandResponse" if language == Language::V3 => Self::CommandResponse,
            "Array" => Self::Array,
            "Enum" => Self::Enum,
            "EnumValue" => Self::EnumValue,
            "Map" => Self::Map,
            "MapKey" => Self::MapKey,
            "MapValue" => Self::MapValue,
            "Object" => Self::Object,
            "Field" => Self::Field,
            _ => return None,
        })
    }

    pub(crate) fn term(self) -> &'static str {
        match self {
            Self::Interface => "Interface",
            Self::Property => "Property",
            Self::Telemetry => "Telemetry",
            Self::Command => "Command",
            Self::Relationship => "Relationship",
            Self::Component => "Component",
            Self::CommandPayload => "CommandPayload",
            Self::CommandRequest => "CommandRequest",
            Self::CommandResponse => "CommandResponse",
            Self::Array => "Array",
            Self::Enum => "Enum",
            Self::EnumValue => "EnumValue",
            Self::Map => "Map",
            Self::MapKey => "MapKey",
            Self::MapValue => "MapValue",
            Self::Object => "Object",
            Self::Field => "Field",
        }
    }

    /// Properties besides the texts that every element takes.
    pub(crate) fn terms(self, language: Language) -> &'static [Term] {
        let v2 = language == Language::V2;
        match self {
            Self::Interface => &[("contents", false), ("extends", false), ("schemas", false)],
            Self::Property => &[("name", true), ("schema", true), ("writable", false)],
            Self::Telemetry | Self::Component => &[("name", true), ("schema", true)],
            Self::Command => {
                &[("name", true), ("request", false), ("response", false), ("commandType", false)]
            }
            Self::Relationship => &[
                ("name", true),
                ("target", false),
                ("minMultiplicity", false),
                ("maxMultiplicity", false),
                ("properties", false),
                ("writable", false),
            ],
            Self::CommandRequest | Self::CommandResponse => {
                &[("name", true), ("schema", true), ("nullable", false)]
            }
            Self::CommandPayload | Self::MapKey | Self::MapValue | Self::Field => {
                &[("name", true), ("schema", true)]
            }
            Self::Array => &[("elementSchema", true)],
            Self::Enum if v2 => &[("valueSchema", true), ("enumValues", true)],
            Self::Enum => &[("valueSchema", true), ("enumValues", false)],
            Self::EnumValue => &[("name", true), ("enumValue", true)],
            Self::Map => &[("mapKey", true), ("mapValue", true)],
            Self::Object if v2 => &[("fields", true)],
            Self::Object => &[("fields", false)],
        }
    }

    /// True where a semantic type such as `Temperature` may qualify the element.
    pub(crate) fn takes_semantic_type(self, language: Language) -> bool {
        match self {
            Self::Property | Self::Telemetry => true,
            Self::Field | Self::MapValue | Self::CommandRequest | Self::CommandResponse => {
                language == Language::V3
            }
            _ => false,
        }
    }
}

/// Names of several classes, for a message.
pub(crate) fn names(classes: &[Class]) -> String {
    let names: Vec<&str> = classes.iter().map(|class| class.term()).collect();
    names.join(", ")
}
