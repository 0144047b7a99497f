//! Texts by language: a plain text, a map of languages, or a list of tagged texts.

use std::collections::HashMap;

use super::Parser;
use super::literal::units;
use crate::element::Localised;
use crate::fault::Fault;
use crate::graph::Id;
use crate::jsonld::{Node, Object, Property, Value};
use crate::meta::pattern::is_language;
use crate::scope::Scope;
use crate::source::Span;

/// The language of a text without one.
const DEFAULT: &str = "en";

impl Parser<'_> {
    pub(super) fn words(
        &mut self,
        id: &Id,
        name: &str,
        property: &Property,
        scope: &Scope,
        longest: Option<usize>,
    ) -> Localised {
        let mut words = Words { id, name, longest, texts: Localised::new() };
        match property.values.list.as_slice() {
            [Node { value: Value::Object(map), .. }] if !property.values.plural => {
                self.language_map(&mut words, map);
            }
            list => self.tagged(&mut words, list, scope),
        }
        words.texts
    }

    fn note(&mut self, words: &Words<'_>, code: &'static str, value: Option<&str>, at: Span) {
        let mut fault = Fault::new(code).element(words.id).property(words.name).at(at);
        fault.value = value.map(str::to_owned);
        self.faults.push(fault);
    }

    fn too_long(&mut self, words: &Words<'_>, text: &str, at: Span) {
        if let Some(longest) = words.longest.filter(|longest| units(text) > *longest) {
            let fault = Fault::new("langStringValueTooLong").element(words.id).property(words.name);
            self.faults.push(fault.value(text).transformation(longest.to_string()).at(at));
        }
    }

    /// `{"en": "…", "de": "…"}`
    fn language_map(&mut self, words: &mut Words<'_>, map: &Object) {
        let tagged = match (&map.language, &map.value) {
            (Some(language), Some(Node { value: Value::Text(text), .. })) if map.count == 2 => {
                Some(format!("{{ \"{language}\": \"{text}\" }}"))
            }
            _ => None,
        };
        if let Some(pair) = &tagged {
            self.note(words, "langTagValueInLangMap", Some(pair), self.object_span(map));
        }
        let mut keywords: Vec<(&str, u32)> = Vec::new();
        if tagged.is_none() {
            keywords.extend(map.language.is_some().then_some(("@language", map.language_at)));
            keywords.extend(map.value.is_some().then_some(("@value", map.value_at)));
        }
        keywords.extend(map.context.is_some().then_some(("@context", map.context_at)));
        keywords.extend(map.id.is_some().then_some(("@id", map.id_at)));
        keywords.extend(map.types.is_some().then_some(("@type", map.types_at)));
        keywords.extend(map.graph.map(|at| ("@graph", at)));
        keywords.extend(map.keywords.iter().map(|(keyword, at)| (keyword.as_str(), *at)));
        for (keyword, at) in keywords {
            self.note(words, "langMapObjKeyword", Some(keyword), self.point(at));
        }
        let mut seen: HashMap<&str, Span> = HashMap::new();
        for property in &map.properties {
            let (language, at) = (property.name.as_str(), self.property_span(property));
            if !is_language(language) {
                self.note(words, "langStringInvalidCode", Some(language), at);
            }
            let text = match property.values.list.as_slice() {
                [node @ Node { value: Value::Text(text), .. }] if !property.values.plural => {
                    self.too_long(words, text, self.node_span(node));
                    text.clone()
                }
                _ => {
                    self.note(words, "langStringValueNotString", Some(language), at);
                    String::new()
                }
            };
            match seen.get(language) {
                Some(first) => {
                    let fault = Fault::new("langStringCodeNotUnique").element(words.id);
                    self.faults.push(fault.property(words.name).value(language).at(at).also(*first));
                }
                None => {
                    seen.insert(language, at);
                    words.texts.insert(language.to_owned(), text);
                }
            }
        }
    }

    /// `["…", {"@language": "de", "@value": "…"}]`
    fn tagged(&mut self, words: &mut Words<'_>, list: &[Node], scope: &Scope) {
        let mut seen: HashMap<String, Span> = HashMap::new();
        for node in list {
            let at = self.node_span(node);
            let (language, text) = match &node.value {
                Value::Text(text) => (DEFAULT, Some((text.as_str(), at))),
                Value::Object(object) => match self.tagged_object(words, object, scope) {
                    Some(found) => found,
                    None => continue,
                },
                _ => {
                    self.note(words, "langStringElementNotStringOrObject", None, at);
                    continue;
                }
            };
            if let Some((text, at)) = text {
                self.too_long(words, text, at);
            }
            match seen.get(language) {
                Some(first) => {
                    let fault = Fault::new("langStringElementCodeNotUnique").element(words.id);
                    self.faults.push(fault.property(words.name).value(language).at(at).also(*first));
                }
                None => {
                    seen.insert(language.to_owned(), at);
                    let text = text.map_or(String::new(), |(text, _)| text.to_owned());
                    words.texts.insert(language.to_owned(), text);
                }
            }
        }
    }

    /// Language and text of a tagged text; nothing where either is of no use.
    fn tagged_object<'o>(
        &mut self,
        words: &Words<'_>,
        object: &'o Object,
        scope: &Scope,
    ) -> Option<(&'o str, Option<(&'o str, Span)>)> {
        let language = match object.language.as_deref() {
            None => DEFAULT,
            Some("") => {
                self.note(words, "langStringElementCodeNotString", None, self.point(object.language_at));
                return None;
            }
            Some(language) => {
                if !is_language(language) {
                    let at = self.point(object.language_at);
                    self.note(words, "langStringElementInvalidCode", Some(language), at);
                }
                language
            }
        };
        let text = match &object.value {
            None => {
                self.note(words, "langStringElementNoValue", None, self.object_span(object));
                None
            }
            Some(node) => match &node.value {
                Value::Text(text) => Some((text.as_str(), self.node_span(node))),
                _ => {
                    let at = self.point(object.value_at);
                    self.note(words, "langStringElementValueNotString", None, at);
                    return None;
                }
            },
        };
        let mut found: Vec<(&'static str, u32, Option<&str>)> = Vec::new();
        found.extend(object.context.is_some().then_some((
            "langStringElementContext",
            object.context_at,
            None,
        )));
        found.extend(object.id.is_some().then_some(("langStringElementId", object.id_at, None)));
        found.extend(object.graph.map(|at| ("langStringElementGraph", at, None)));
        if scope.version() > 2 {
            found.extend(object.types.is_some().then_some(("langStringElementType", object.types_at, None)));
            let keywords = object.keywords.iter();
            found.extend(
                keywords.map(|(keyword, at)| ("langStringElementKeyword", *at, Some(keyword.as_str()))),
            );
        }
        let properties = object.properties.iter();
        found.extend(properties.map(|own| ("langStringElementInvalidProp", own.at, Some(own.name.as_str()))));
        for (code, at, value) in found {
            self.note(words, code, value, self.point(at));
        }
        Some((language, text))
    }
}

/// The property that is read, and what came out of it.
struct Words<'w> {
    id: &'w Id,
    name: &'w str,
    longest: Option<usize>,
    texts: Localised,
}
