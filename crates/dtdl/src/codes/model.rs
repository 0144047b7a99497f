//! Codes of what only the whole model shows.

use super::{Code, code};
use crate::error::ErrorKind::{Depth, Duplicate, Limit, Property, Reference, Service, Type};

/// Codes that are not the official parser's.
pub(super) const OURS: &[&str] = &[
    "invalidJson",
    "tooDeep",
    "sourceTooLarge",
    "modelExists",
    "unresolvedReference",
    "inlineInterface",
    "commandUnused",
];

pub(super) const CODES: &[Code] = &[
    code(
        "unresolvedReference",
        Reference,
        "'{related}' under '{property}' does not exist",
        "upload it in the same request or before, or correct the identifier",
    ),
    code(
        "modelExists",
        Duplicate,
        "a model with the @id '{element}' exists already",
        "raise the version: models never change",
    ),
    code(
        "inlineInterface",
        Service,
        "the interface '{element}' is written inside another, which Azure Digital Twins does not take",
        "write it as a model of its own and refer to it by its @id",
    ),
    code(
        "commandUnused",
        Service,
        "the command '{value}' has no use in Azure Digital Twins: its documentation forbids commands",
        "remove it, or call the device through IoT Hub",
    ),
    code(
        "undefinedReservedId",
        Reference,
        "'{related}' under '{property}' has a reserved prefix and does not exist",
        "use a term of the language or an element of your own",
    ),
    code(
        "crossPartitionReference",
        Reference,
        "'{related}' under '{property}' is defined inside the interface '{value}'",
        "define it again, under an @id of its own, inside '{restriction}'",
    ),
    code(
        "disallowedVersionReference",
        Reference,
        "'{related}' under '{property}' is written in DTDL v{value}, which does not fit there",
        "refer to an element of one of these versions: {restriction}",
    ),
    code(
        "wrongParent",
        Reference,
        "'{related}' does not fit '{property}'",
        "choose a child of {restriction}",
    ),
    code("notRequiredType", Type, "'{related}' does not fit '{property}'", "its type must be {kind}"),
    code("notRequiredValue", Property, "'{related}' does not fit '{property}'", "use {restriction}"),
    code("incorrectPropertyValue", Property, "'{value}' does not fit '{property}'", "use {restriction}"),
    code(
        "nonConformantDatatype",
        Property,
        "'{property}' is {value}, which does not fit the '{restriction}' of the enumeration",
        "write a value of type {kind}",
    ),
    code(
        "nonUniquePropertyValue",
        Duplicate,
        "two elements under '{property}' have the {aux} '{value}'",
        "change one of them",
    ),
    code(
        "nonUniqueImportedPropertyValue",
        Duplicate,
        "the {aux} '{value}' is inherited from '{related}' and used by another element already",
        "rename one of them",
    ),
    code(
        "excessiveCount",
        Limit,
        "the interface reaches too many elements through {property}",
        "split it: {more} are the most",
    ),
    code(
        "excessiveDepthNarrow",
        Depth,
        "the chain of {property} is longer than {more} levels and reaches '{related}'",
        "flatten the hierarchy",
    ),
    code(
        "excessiveDepthWide",
        Depth,
        "schemas are nested deeper than {more} levels, down to '{related}'",
        "flatten the schema",
    ),
    code(
        "recursiveStructureNarrow",
        Depth,
        "'{element}' contains itself through {property}",
        "break the circle",
    ),
    code(
        "recursiveStructureWide",
        Depth,
        "the schema contains itself by way of '{element}'",
        "break the circle",
    ),
    code(
        "excludedType",
        Depth,
        "a {kind} holds the {restriction} '{related}' by way of {property}, which is not allowed",
        "{more}",
    ),
    code(
        "partitionTooLarge",
        Limit,
        "the {value} is too large",
        "split it: {restriction} characters are the most",
    ),
    code(
        "parentMissingCotype",
        Type,
        "the type '{kind}' needs a parent of another type",
        "add '{restriction}' to the parent's @type",
    ),
    code(
        "siblingMissingCotype",
        Type,
        "the type '{kind}' needs a sibling of another type",
        "add a sibling with the type '{restriction}'",
    ),
    code(
        "siblingDuplicatesCotype",
        Type,
        "the type '{kind}' stands beside '{related}', which has the type '{restriction}'",
        "remove one of the two types",
    ),
    code(
        "notSiblingRequiredType",
        Type,
        "'{property}' names '{value}', which is of no type that fits",
        "name an element with one of these types: {kind}",
    ),
    code(
        "disallowedType",
        Type,
        "'{property}' names '{value}', which has the type '{kind}'",
        "name another element",
    ),
    code(
        "noMatchingSupplementalProperty",
        Property,
        "'{more}' names the property '{restriction}', which '{value}' does not have",
        "name a property that a type of '{value}' brings, such as its unit",
    ),
    code(
        "matchingPropertyNotSupplemental",
        Property,
        "'{more}' names the property '{restriction}', which every {kind} has",
        "name a property that a supplemental type of '{value}' brings, such as its unit",
    ),
    code(
        "multipleReference",
        Duplicate,
        "two elements under '{property}' have {value} as {aux}",
        "remove one of them",
    ),
    code(
        "siblingPropertyMismatch",
        Property,
        "'{property}' is {value}, which does not fit the property that is replaced",
        "set it to {restriction}",
    ),
];
