//! The classes of DTDL, and which of them fit where.

/// A class that an element can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    Array,
    Boolean,
    Command,
    CommandPayload,
    CommandRequest,
    CommandResponse,
    CommandType,
    Component,
    Date,
    DateTime,
    Double,
    Duration,
    Enum,
    EnumValue,
    Field,
    Float,
    Integer,
    Interface,
    Long,
    Map,
    MapKey,
    MapValue,
    Object,
    Property,
    Relationship,
    String,
    Telemetry,
    Time,
    Unit,
}

const NAMES: [(Class, &str); 29] = [
    (Class::Array, "Array"),
    (Class::Boolean, "Boolean"),
    (Class::Command, "Command"),
    (Class::CommandPayload, "CommandPayload"),
    (Class::CommandRequest, "CommandRequest"),
    (Class::CommandResponse, "CommandResponse"),
    (Class::CommandType, "CommandType"),
    (Class::Component, "Component"),
    (Class::Date, "Date"),
    (Class::DateTime, "DateTime"),
    (Class::Double, "Double"),
    (Class::Duration, "Duration"),
    (Class::Enum, "Enum"),
    (Class::EnumValue, "EnumValue"),
    (Class::Field, "Field"),
    (Class::Float, "Float"),
    (Class::Integer, "Integer"),
    (Class::Interface, "Interface"),
    (Class::Long, "Long"),
    (Class::Map, "Map"),
    (Class::MapKey, "MapKey"),
    (Class::MapValue, "MapValue"),
    (Class::Object, "Object"),
    (Class::Property, "Property"),
    (Class::Relationship, "Relationship"),
    (Class::String, "String"),
    (Class::Telemetry, "Telemetry"),
    (Class::Time, "Time"),
    (Class::Unit, "Unit"),
];

/// Names that version 4 adds, abstract classes, and classes that only extensions use: known, and never what an element of
/// version 2 or 3 can be.
const OTHER_NAMES: [&str; 20] = [
    "Byte",
    "Bytes",
    "ComplexSchema",
    "Content",
    "Decimal",
    "Entity",
    "LatentType",
    "NamedEntity",
    "NamedLatentType",
    "NumericSchema",
    "PrimitiveSchema",
    "Schema",
    "SchemaField",
    "Short",
    "TemporalSchema",
    "UnitAttribute",
    "UnsignedByte",
    "UnsignedInteger",
    "UnsignedLong",
    "UnsignedShort",
];

impl Class {
    pub(crate) fn name(self) -> &'static str {
        NAMES.iter().find(|(class, _)| *class == self).map_or("", |(_, name)| name)
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(class, _)| *class)
    }

    /// The class that an entry of `@type` names: `Property`, or `dtmi:dtdl:class:Property;3` with the document's version.
    pub(crate) fn from_type(text: &str, version: u8) -> Option<Self> {
        match text.strip_prefix("dtmi:dtdl:class:") {
            Some(rest) => {
                let (name, given) = rest.split_once(';')?;
                Self::from_name(name).filter(|_| given.parse() == Ok(version))
            }
            None => Self::from_name(text),
        }
    }

    pub(crate) fn all() -> &'static [Self] {
        &ALL
    }

    pub(crate) fn is_interface(self) -> bool {
        self == Self::Interface
    }

    pub(crate) fn is_primitive(self) -> bool {
        matches!(
            self,
            Self::Boolean
                | Self::Date
                | Self::DateTime
                | Self::Double
                | Self::Duration
                | Self::Float
                | Self::Integer
                | Self::Long
                | Self::String
                | Self::Time
        )
    }

    pub(crate) fn is_complex(self) -> bool {
        COMPLEX.contains(&self)
    }

    /// True when `name` is this class or one above it, as in `NumericSchema` for `Double`.
    pub(crate) fn is_a(self, name: &str) -> bool {
        match name {
            "Entity" => true,
            "Schema" => self.is_primitive() || self.is_complex(),
            "PrimitiveSchema" => self.is_primitive(),
            "ComplexSchema" => self.is_complex(),
            "NumericSchema" => matches!(self, Self::Double | Self::Float | Self::Integer | Self::Long),
            "TemporalSchema" => {
                matches!(self, Self::Date | Self::DateTime | Self::Duration | Self::Time)
            }
            "Content" => CONTENT.contains(&self),
            "CommandPayload" => {
                matches!(self, Self::CommandPayload | Self::CommandRequest | Self::CommandResponse)
            }
            _ => self.name() == name,
        }
    }
}

/// True for every name of a class, with or without its prefix, in any version.
pub(crate) fn is_class_name(text: &str) -> bool {
    let name = match text.strip_prefix("dtmi:dtdl:class:") {
        Some(rest) => match rest.split_once(';') {
            Some((name, "2" | "3" | "4")) => name,
            _ => return false,
        },
        None => text,
    };
    Class::from_name(name).is_some() || OTHER_NAMES.contains(&name) || name == "Uuid"
}

const CONTENT: &[Class] =
    &[Class::Command, Class::Component, Class::Property, Class::Relationship, Class::Telemetry];
const COMPLEX: &[Class] = &[Class::Array, Class::Enum, Class::Map, Class::Object];
const PRIMITIVE: &[Class] = &[
    Class::Boolean,
    Class::Date,
    Class::DateTime,
    Class::Double,
    Class::Duration,
    Class::Float,
    Class::Integer,
    Class::Long,
    Class::String,
    Class::Time,
];
const SCHEMA: &[Class] = &[
    Class::Array,
    Class::Boolean,
    Class::Date,
    Class::DateTime,
    Class::Double,
    Class::Duration,
    Class::Enum,
    Class::Float,
    Class::Integer,
    Class::Long,
    Class::Map,
    Class::Object,
    Class::String,
    Class::Time,
];

/// What the value of a property must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// Exactly one class.
    One(Class),
    Content,
    Complex,
    Primitive,
    Schema,
}

impl Range {
    /// Classes that a reference may lead to.
    pub(crate) fn classes(self) -> &'static [Class] {
        match self {
            Self::One(class) => one(class),
            Self::Content => CONTENT,
            Self::Complex => COMPLEX,
            Self::Primitive => PRIMITIVE,
            Self::Schema => SCHEMA,
        }
    }

    /// Classes that may be written in place: all but those whose elements the language itself defines.
    pub(crate) fn writable(self) -> &'static [Class] {
        match self {
            Self::Schema => COMPLEX,
            Self::Primitive | Self::One(Class::String | Class::CommandType) => &[],
            _ => self.classes(),
        }
    }

    /// Names of the classes that may be written or referred to, for a message.
    pub(crate) fn names(self) -> String {
        let names: Vec<&str> = self.classes().iter().map(|class| class.name()).collect();
        names.join(", ")
    }
}

fn one(class: Class) -> &'static [Class] {
    NAMES.iter().position(|(known, _)| *known == class).map_or(&[], |index| &ALL[index..=index])
}

/// Every class in the order of [`NAMES`].
const ALL: [Class; 29] = {
    let mut all = [Class::Array; 29];
    let mut index = 0;
    while index < all.len() {
        all[index] = NAMES[index].0;
        index += 1;
    }
    all
};
