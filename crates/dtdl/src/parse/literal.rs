//! Plain values: as JSON has them, or as a value object with `@value`.

use super::Parser;
use crate::fault::Fault;
use crate::graph::{Id, Literal};
use crate::jsonld::{Node, Object, Property, Value};
use crate::meta::pattern::{Pattern, is_plain_duration};
use crate::scope::Scope;

const XSD: &str = "http://www.w3.org/2001/XMLSchema#";

/// A kind of plain value with the codes of what can be wrong with one.
#[derive(Clone, Copy)]
struct Kind {
    /// Name in XML Schema.
    xsd: &'static str,
    none: &'static str,
    many: &'static str,
    not: &'static str,
    no_value: &'static str,
    wrong_type: &'static str,
    wrong_value: &'static str,
    read: fn(&Value) -> Option<Literal>,
}

const TEXT: Kind = Kind {
    xsd: "string",
    none: "stringCountBelowMin",
    many: "stringMultipleValues",
    not: "stringNotString",
    no_value: "stringObjectNoValue",
    wrong_type: "stringTypeNotString",
    wrong_value: "stringValueNotString",
    read: |value| match value {
        Value::Text(text) => Some(Literal::Text(text.clone())),
        _ => None,
    },
};
const DURATION: Kind = Kind {
    xsd: "duration",
    none: "durationCountBelowMin",
    many: "durationMultipleValues",
    not: "durationNotString",
    no_value: "durationObjectNoValue",
    wrong_type: "durationTypeNotDuration",
    wrong_value: "durationValueNotString",
    ..TEXT
};
const WHOLE: Kind = Kind {
    xsd: "integer",
    none: "integerCountBelowMin",
    many: "integerMultipleValues",
    not: "integerNotInteger",
    no_value: "integerObjectNoValue",
    wrong_type: "integerTypeNotInteger",
    wrong_value: "integerValueNotInteger",
    read: |value| match value {
        Value::Number(number) => whole(*number).map(Literal::Whole),
        _ => None,
    },
};
const NUMBER: Kind = Kind {
    xsd: "decimal",
    none: "numericCountBelowMin",
    many: "numericMultipleValues",
    not: "numericNotNumeric",
    no_value: "numericObjectNoValue",
    wrong_type: "numericTypeNotNumeric",
    wrong_value: "numericValueNotNumeric",
    read: |value| match value {
        Value::Number(number) => Some(Literal::Number(*number)),
        _ => None,
    },
};
const FLAG: Kind = Kind {
    xsd: "boolean",
    none: "booleanCountBelowMin",
    many: "booleanMultipleValues",
    not: "booleanNotBoolean",
    no_value: "booleanObjectNoValue",
    wrong_type: "booleanTypeNotBoolean",
    wrong_value: "booleanValueNotBoolean",
    read: |value| match value {
        Value::Boolean(flag) => Some(Literal::Flag(*flag)),
        _ => None,
    },
};

/// The number without its fraction, if it has none and fits 32 bits.
fn whole(number: f64) -> Option<i32> {
    let fits = number.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the line above lets only whole numbers of 32 bits through"
    )]
    fits.then_some(number as i32)
}

/// Length as the official limits count it.
pub(super) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

impl Parser<'_> {
    #[expect(
        clippy::too_many_arguments,
        reason = "the limits belong to the call, the rest to every reader here"
    )]
    pub(super) fn text(
        &mut self,
        id: &Id,
        name: &str,
        property: &Property,
        scope: &Scope,
        longest: Option<usize>,
        pattern: Option<Pattern>,
        required: bool,
    ) -> Option<String> {
        let (Literal::Text(text), node) = self.single(id, name, property, scope, TEXT, required)? else {
            return None;
        };
        let at = self.node_span(node);
        if let Some(longest) = longest.filter(|longest| units(&text) > *longest) {
            let fault = Fault::new("stringTooLong").element(id).property(name).value(&text);
            self.faults.push(fault.transformation(longest.to_string()).at(at));
        }
        if let Some(pattern) = pattern.filter(|pattern| !pattern.matches(&text)) {
            let fault = Fault::new("stringInvalid").element(id).property(name).value(&text);
            self.faults.push(fault.transformation(pattern.describe()).at(at));
        }
        Some(text)
    }

    pub(super) fn duration(
        &mut self,
        id: &Id,
        name: &str,
        property: &Property,
        scope: &Scope,
        required: bool,
    ) -> Option<String> {
        let (Literal::Text(text), node) = self.single(id, name, property, scope, DURATION, required)? else {
            return None;
        };
        if is_plain_duration(&text) {
            return Some(text);
        }
        let at = self.node_span(node);
        self.faults.push(Fault::new("durationInvalid").element(id).property(name).value(text).at(at));
        None
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the limits belong to the call, the rest to every reader here"
    )]
    pub(super) fn whole(
        &mut self,
        id: &Id,
        name: &str,
        property: &Property,
        scope: &Scope,
        least: Option<i32>,
        most: Option<i32>,
        required: bool,
    ) -> Option<i32> {
        let (Literal::Whole(number), node) = self.single(id, name, property, scope, WHOLE, required)? else {
            return None;
        };
        let (code, limit) = match (least, most) {
            (Some(least), Some(most)) if least == most && number != least => {
                ("valueNotExact", least.to_string())
            }
            (Some(least), Some(most)) if number < least => ("valueBelowRange", format!("[{least}, {most}]")),
            (Some(least), Some(most)) if number > most => ("valueAboveRange", format!("[{least}, {most}]")),
            (Some(least), None) if number < least => ("valueBelowMin", least.to_string()),
            _ => return Some(number),
        };
        let at = self.node_span(node);
        let fault = Fault::new(code).element(id).property(name).value(number.to_string());
        self.faults.push(fault.restriction(limit).at(at));
        Some(number)
    }

    pub(super) fn number(
        &mut self,
        id: &Id,
        name: &str,
        property: &Property,
        scope: &Scope,
        required: bool,
    ) -> Option<f64> {
        match self.single(id, name, property, scope, NUMBER, required)?.0 {
            Literal::Number(number) => Some(number),
            _ => None,
        }
    }

    pub(super) fn flag(
        &mut self,
        id: &Id,
        name: &str,
        property: &Property,
        scope: &Scope,
        required: bool,
    ) -> Option<bool> {
        match self.single(id, name, property, scope, FLAG, required)?.0 {
            Literal::Flag(flag) => Some(flag),
            _ => None,
        }
    }

    /// Text, number or boolean, whichever it is.
    pub(super) fn literal(
        &mut self,
        id: &Id,
        name: &str,
        property: &Property,
        scope: &Scope,
    ) -> Option<Literal> {
        let at = self.values_span(property);
        let fault = |code| Fault::new(code).element(id).property(name).at(at);
        let node = match property.values.list.as_slice() {
            [node] => node,
            [] => {
                self.faults.push(fault("literalCountBelowMin"));
                return None;
            }
            _ => {
                self.faults.push(fault("literalMultipleValues"));
                return None;
            }
        };
        let kinds = [TEXT, WHOLE, NUMBER, FLAG];
        let found = match &node.value {
            Value::Object(object) => {
                self.value_object(object, id, name, scope);
                let declared = match self.declared(object, node, id, name, "literalObjectNoValue") {
                    Ok(declared) => declared,
                    Err(Noted) => {
                        self.faults.push(fault("literalNotValid"));
                        return None;
                    }
                };
                let value = object.value.as_ref().map_or(&Value::Null, |node| &node.value);
                match declared.map(|name| kinds.iter().find(|kind| kind.xsd == name)) {
                    None => kinds.iter().find_map(|kind| (kind.read)(value)),
                    Some(None) => None,
                    Some(Some(kind)) => {
                        let literal = (kind.read)(value);
                        if literal.is_none() {
                            let at = self.node_span(node);
                            self.faults.push(Fault::new(kind.wrong_value).element(id).property(name).at(at));
                        }
                        literal
                    }
                }
            }
            value => kinds.iter().find_map(|kind| (kind.read)(value)),
        };
        if found.is_none() {
            self.faults.push(fault("literalNotValid"));
        }
        found
    }

    /// The one value of a property, of a given kind.
    fn single<'n>(
        &mut self,
        id: &Id,
        name: &str,
        property: &'n Property,
        scope: &Scope,
        kind: Kind,
        required: bool,
    ) -> Option<(Literal, &'n Node)> {
        let at = self.values_span(property);
        match property.values.list.as_slice() {
            [node] => self.one(id, name, node, scope, kind).map(|literal| (literal, node)),
            [] => {
                if required {
                    self.faults.push(Fault::new(kind.none).element(id).property(name).at(at));
                }
                None
            }
            _ => {
                self.faults.push(Fault::new(kind.many).element(id).property(name).at(at));
                None
            }
        }
    }

    fn one(&mut self, id: &Id, name: &str, node: &Node, scope: &Scope, kind: Kind) -> Option<Literal> {
        let at = self.node_span(node);
        let fault = |code| Fault::new(code).element(id).property(name).at(at);
        let (value, code) = match &node.value {
            Value::Object(object) => {
                self.value_object(object, id, name, scope);
                let declared = self.declared(object, node, id, name, kind.no_value).ok()?;
                if declared.is_some_and(|name| name != kind.xsd) {
                    self.faults.push(fault(kind.wrong_type));
                    return None;
                }
                (&object.value.as_ref()?.value, kind.wrong_value)
            }
            value => (value, kind.not),
        };
        let literal = (kind.read)(value);
        if literal.is_none() {
            self.faults.push(fault(code));
        }
        literal
    }

    /// The type that a value object declares, without its prefix.
    fn declared<'o>(
        &mut self,
        object: &'o Object,
        node: &Node,
        id: &Id,
        name: &str,
        no_value: &'static str,
    ) -> Result<Option<&'o str>, Noted> {
        let at = self.node_span(node);
        if object.value.is_none() {
            self.faults.push(Fault::new(no_value).element(id).property(name).at(at));
            return Err(Noted);
        }
        match object.types.as_deref() {
            None => Ok(None),
            Some([kind]) => {
                let kind = kind.as_deref().unwrap_or_default();
                let short = kind.strip_prefix("xsd:").or_else(|| kind.strip_prefix(XSD));
                Ok(Some(short.unwrap_or("")))
            }
            Some(_) => {
                self.faults.push(Fault::new("literalTypeNotSingular").element(id).property(name).at(at));
                Err(Noted)
            }
        }
    }

    /// What may not stand beside `@value`.
    fn value_object(&mut self, object: &Object, id: &Id, name: &str, scope: &Scope) {
        let mut found: Vec<(&'static str, u32, Option<&str>)> = Vec::new();
        if object.context.is_some() {
            found.push(("valueObjectContext", object.context_at, None));
        }
        if object.id.is_some() {
            found.push(("valueObjectId", object.id_at, None));
        }
        if let Some(at) = object.graph {
            found.push(("valueObjectGraph", at, None));
        }
        if scope.version() > 2 {
            if object.language.is_some() {
                found.push(("valueObjectLanguage", object.language_at, None));
            }
            let keywords = object.keywords.iter();
            found.extend(keywords.map(|(keyword, at)| ("valueObjectKeyword", *at, Some(keyword.as_str()))));
        }
        let properties = object.properties.iter();
        found.extend(properties.map(|own| ("valueObjectInvalidProp", own.at, Some(own.name.as_str()))));
        for (code, at, value) in found {
            let mut fault = Fault::new(code).element(id).property(name).at(self.point(at));
            fault.value = value.map(str::to_owned);
            self.faults.push(fault);
        }
    }
}

/// The fault is noted.
struct Noted;
