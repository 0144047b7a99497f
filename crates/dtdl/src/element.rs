//! The elements of DTDL as plain types: what the reader produces and everyone else works with.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::dtmi::Dtmi;

/// Version of the language that an interface is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// `dtmi:dtdl:context;2`
    V2,
    /// `dtmi:dtdl:context;3`
    V3,
}

/// A text by language tag; a plain string in a document is filed under `en`.
pub type Localised = BTreeMap<String, String>;

/// What every element may carry besides its own properties.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Description {
    /// Identifier that the author gave, if any.
    pub id: Option<Dtmi>,
    /// Name for display.
    pub display_name: Localised,
    /// Description for display.
    pub description: Localised,
    /// Comment for model authors.
    pub comment: Option<String>,
    /// Co-types, as in `Temperature`, in the order of the document.
    pub supplemental_types: Vec<String>,
    /// Unit of a semantic type, as in `degreeCelsius`.
    pub unit: Option<String>,
}

/// A top-level model.
#[derive(Debug, Clone, PartialEq)]
pub struct Interface {
    /// Identifier.
    pub id: Dtmi,
    /// Language version of its document.
    pub language: Language,
    /// Texts and co-types.
    pub about: Description,
    /// Interfaces that it inherits from, as written.
    pub extends: Vec<Dtmi>,
    /// Its own contents by name, in the order of the document.
    pub contents: IndexMap<String, Arc<Content>>,
    /// The schemas that it defines for use by several contents, by identifier.
    pub schemas: IndexMap<Dtmi, Arc<Schema>>,
}

/// One entry of an interface's contents.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// Name, unique in the interface and all that it inherits.
    pub name: String,
    /// Texts and co-types.
    pub about: Description,
    /// What it is.
    pub kind: ContentKind,
}

/// The five kinds of content.
#[derive(Debug, Clone, PartialEq)]
pub enum ContentKind {
    /// A value that the twin keeps.
    Property(Property),
    /// A value that is sent and not kept.
    Telemetry {
        /// Schema of one value.
        schema: Arc<Schema>,
    },
    /// Something the equipment can be told to do; Azure Digital Twins ignores it.
    Command {
        /// Name and schema of the request, if it has one.
        request: Option<Field>,
        /// Name and schema of the response, if it has one.
        response: Option<Field>,
    },
    /// A link to other twins.
    Relationship(Relationship),
    /// An interface built into this one.
    Component {
        /// The interface of the component.
        schema: Dtmi,
    },
}

/// A property of an interface.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    /// Schema of its value.
    pub schema: Arc<Schema>,
    /// Whether the author marked it writable; Azure Digital Twins ignores this.
    pub writable: bool,
}

/// A relationship of an interface.
#[derive(Debug, Clone, PartialEq)]
pub struct Relationship {
    /// Interface of the target; any when absent. It need not exist.
    pub target: Option<Dtmi>,
    /// Properties of each relationship, by name.
    pub properties: IndexMap<String, Arc<Schema>>,
}

/// A schema: what a value must look like. References are resolved; equal ones are shared.
#[derive(Debug, Clone, PartialEq)]
pub enum Schema {
    /// A primitive.
    Primitive(Primitive),
    /// A GeoJSON shape, as in `point`.
    Geospatial(Shape),
    /// A list of values of one schema.
    Array(Arc<Schema>),
    /// One of some named values.
    Enum(EnumSchema),
    /// Text keys to values of one schema.
    Map(Arc<Schema>),
    /// Named fields.
    Object(Vec<Field>),
}

/// A named part of an object, or a command's payload.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Name, unique in its object.
    pub name: String,
    /// Schema of the value.
    pub schema: Arc<Schema>,
}

/// An enumeration.
#[derive(Debug, Clone, PartialEq)]
pub struct EnumSchema {
    /// Values and their names.
    pub values: EnumValues,
}

/// The admitted values of an enumeration, each with its name.
#[derive(Debug, Clone, PartialEq)]
pub enum EnumValues {
    /// `valueSchema` is `integer`.
    Integers(Vec<(String, i32)>),
    /// `valueSchema` is `string`.
    Strings(Vec<(String, String)>),
}

/// The primitive schemas of v2 and v3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Primitive {
    /// true or false
    Boolean,
    /// RFC 3339 full-date
    Date,
    /// RFC 3339 date-time
    DateTime,
    /// 64-bit floating point
    Double,
    /// ISO 8601 duration
    Duration,
    /// 32-bit floating point
    Float,
    /// signed 32-bit
    Integer,
    /// signed 64-bit
    Long,
    /// UTF-8 text
    String,
    /// RFC 3339 full-time
    Time,
}

impl Primitive {
    /// The primitive of a term, as in `double`.
    pub fn from_term(term: &str) -> Option<Self> {
        Some(match term {
            "boolean" => Self::Boolean,
            "date" => Self::Date,
            "dateTime" => Self::DateTime,
            "double" => Self::Double,
            "duration" => Self::Duration,
            "float" => Self::Float,
            "integer" => Self::Integer,
            "long" => Self::Long,
            "string" => Self::String,
            "time" => Self::Time,
            _ => return None,
        })
    }

    /// The term, as a document writes it.
    pub fn term(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::DateTime => "dateTime",
            Self::Double => "double",
            Self::Duration => "duration",
            Self::Float => "float",
            Self::Integer => "integer",
            Self::Long => "long",
            Self::String => "string",
            Self::Time => "time",
        }
    }

    /// True for the kinds that a semantic type with a unit may qualify.
    pub fn is_numeric(self) -> bool {
        matches!(self, Self::Double | Self::Float | Self::Integer | Self::Long)
    }
}

/// The GeoJSON shapes that DTDL names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One position.
    Point,
    /// Positions.
    MultiPoint,
    /// Positions of a line.
    LineString,
    /// Lines.
    MultiLineString,
    /// Rings, the outer one first.
    Polygon,
    /// Polygons.
    MultiPolygon,
}

impl Shape {
    /// The shape of a term, as in `multiPoint`.
    pub fn from_term(term: &str) -> Option<Self> {
        Some(match term {
            "point" => Self::Point,
            "multiPoint" => Self::MultiPoint,
            "lineString" => Self::LineString,
            "multiLineString" => Self::MultiLineString,
            "polygon" => Self::Polygon,
            "multiPolygon" => Self::MultiPolygon,
            _ => return None,
        })
    }

    /// The value of `type` in GeoJSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Point => "Point",
            Self::MultiPoint => "MultiPoint",
            Self::LineString => "LineString",
            Self::MultiLineString => "MultiLineString",
            Self::Polygon => "Polygon",
            Self::MultiPolygon => "MultiPolygon",
        }
    }

    /// How many arrays are around each number of `coordinates`.
    pub fn levels(self) -> usize {
        match self {
            Self::Point => 1,
            Self::MultiPoint | Self::LineString => 2,
            Self::MultiLineString | Self::Polygon => 3,
            Self::MultiPolygon => 4,
        }
    }
}

impl Language {
    /// The number of the version.
    pub fn number(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}
