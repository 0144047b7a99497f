//! From a text to JSON-LD, in one pass.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::text::{Cursor, Syntax};
use super::{ContextPart, Node, Object, Property, Value, Values};
use crate::fault::Fault;
use crate::source::Span;

/// Objects and arrays nest at most this deep. The language itself needs far less: inheritance, the deepest chain that can be
/// written in place, ends at 10 levels of two brackets each.
const DEEPEST: usize = 64;

/// Reads one document; the first fault of the grammar ends it.
pub(crate) fn read(text: &str, document: u32) -> Result<Values, Box<Fault>> {
    let mut reader = Reader { cursor: Cursor::new(text), document, depth: 0 };
    let values = reader.values()?;
    if reader.cursor.peek().is_some() {
        return Err(reader.syntax(Syntax {
            at: reader.cursor.here(),
            message: "stands after the end of the document: remove it",
        }));
    }
    Ok(values)
}

struct Reader<'t> {
    cursor: Cursor<'t>,
    document: u32,
    depth: usize,
}

type Outcome<T> = Result<T, Box<Fault>>;

impl Reader<'_> {
    fn span(&self, start: u32, end: u32) -> Span {
        Span { document: self.document, start, end }
    }

    fn syntax(&self, syntax: Syntax) -> Box<Fault> {
        let span = self.span(syntax.at, syntax.at);
        Box::new(Fault::new("invalidJson").value(syntax.message).at(span))
    }

    fn wrong<T>(&self, message: &'static str) -> Outcome<T> {
        Err(self.syntax(Syntax { at: self.cursor.here(), message }))
    }

    fn enter(&mut self) -> Outcome<()> {
        self.depth += 1;
        if self.depth > DEEPEST {
            let here = self.cursor.here();
            return Err(Box::new(
                Fault::new("tooDeep").restriction(DEEPEST.to_string()).at(self.span(here, here)),
            ));
        }
        Ok(())
    }

    /// A value, or all values of an array and of the arrays in it.
    fn values(&mut self) -> Outcome<Values> {
        let first = self.cursor.peek();
        let start = self.cursor.here();
        if first != Some(b'[') {
            let node = self.node()?;
            let end = node.end;
            return Ok(Values { list: vec![node], plural: false, start, end });
        }
        let mut list = Vec::new();
        let end = self.array(&mut list)?;
        Ok(Values { list, plural: true, start, end })
    }

    /// Takes an array, its values appended to `list`; answers the place of its last bracket.
    fn array(&mut self, list: &mut Vec<Node>) -> Outcome<u32> {
        self.enter()?;
        self.cursor.position += 1;
        if self.cursor.peek() != Some(b']') {
            loop {
                if self.cursor.peek() == Some(b'[') {
                    self.array(list)?;
                } else {
                    list.push(self.node()?);
                }
                if !self.cursor.take(b',') {
                    break;
                }
            }
        }
        self.cursor.peek();
        let end = self.cursor.here();
        if !self.cursor.take(b']') {
            return self.wrong(
                "is not expected here: separate the values of an array by commas and close it with ]",
            );
        }
        self.depth -= 1;
        Ok(end)
    }

    fn node(&mut self) -> Outcome<Node> {
        let first = self.cursor.peek();
        let start = self.cursor.here();
        let value =
            match first {
                Some(b'{') => {
                    let object = self.object()?;
                    let end = object.end;
                    return Ok(Node { value: Value::Object(Arc::new(object)), start, end });
                }
                Some(b'"') => Value::Text(self.string()?),
                Some(b'-' | b'0'..=b'9') => {
                    Value::Number(self.cursor.number().map_err(|syntax| self.syntax(syntax))?)
                }
                Some(b't') => self.word("true", Value::Boolean(true))?,
                Some(b'f') => self.word("false", Value::Boolean(false))?,
                Some(b'n') => self.word("null", Value::Null)?,
                Some(_) => return self.wrong(
                    "is no value of JSON: write a string, a number, true, false, null, an object or an array",
                ),
                None => return self.wrong("is missing: the document ends too early"),
            };
        Ok(Node { value, start, end: start })
    }

    fn word(&mut self, word: &str, value: Value) -> Outcome<Value> {
        self.cursor.word(word).map_err(|syntax| self.syntax(syntax))?;
        Ok(value)
    }

    fn string(&mut self) -> Outcome<String> {
        self.cursor.string().map_err(|syntax| self.syntax(syntax))
    }

    /// Takes the names of an object; `each` takes the value of one. Answers the place of the closing brace.
    fn members(&mut self, mut each: impl FnMut(&mut Self, String, u32) -> Outcome<()>) -> Outcome<u32> {
        self.enter()?;
        self.cursor.position += 1;
        if self.cursor.peek() != Some(b'}') {
            loop {
                if self.cursor.peek() != Some(b'"') {
                    return self.wrong("is not expected here: write a name in quotes");
                }
                let at = self.cursor.here();
                let name = self.string()?;
                if !self.cursor.take(b':') {
                    return self.wrong("is not expected here: write a colon after the name");
                }
                self.cursor.peek();
                each(self, name, at)?;
                if !self.cursor.take(b',') {
                    break;
                }
            }
        }
        self.cursor.peek();
        let end = self.cursor.here();
        if !self.cursor.take(b'}') {
            return self.wrong(
                "is not expected here: separate the names of an object by commas and close it with }",
            );
        }
        self.depth -= 1;
        Ok(end)
    }

    fn object(&mut self) -> Outcome<Object> {
        let mut object = Object { start: self.cursor.here(), ..Object::default() };
        let mut others = HashMap::new();
        let end = self.members(|reader, name, at| {
            object.count += 1;
            if name.starts_with('@') {
                return reader.keyword(&mut object, &mut others, name, at);
            }
            let values = reader.values()?;
            object.properties.push(Property { name, at, values });
            Ok(())
        })?;
        object.end = end;
        Ok(object)
    }

    fn keyword(
        &mut self,
        object: &mut Object,
        others: &mut HashMap<String, u32>,
        name: String,
        at: u32,
    ) -> Outcome<()> {
        let repeated = match name.as_str() {
            "@graph" => object.graph.map(|first| (first, "repeatedGraphProperty")),
            "@context" => object.context.as_ref().map(|_| (object.context_at, "repeatedContextProperty")),
            "@id" => object.id.as_ref().map(|_| (object.id_at, "repeatedIdProperty")),
            "@type" => object.types.as_ref().map(|_| (object.types_at, "repeatedTypeProperty")),
            "@value" => object.value.as_ref().map(|_| (object.value_at, "repeatedValueProperty")),
            "@language" => object.language.as_ref().map(|_| (object.language_at, "repeatedLanguageProperty")),
            _ => others.insert(name.clone(), at).map(|first| (first, "repeatedKeyword")),
        };
        if let Some((first, code)) = repeated {
            let (first, second) = (self.span(first, first), self.span(at, at));
            return Err(Box::new(Fault::new(code).value(name).at(first).also(second)));
        }
        match name.as_str() {
            "@graph" => {
                object.graph = Some(at);
                self.graph()?;
            }
            "@context" => {
                object.context_at = at;
                object.context = Some(self.context()?);
            }
            "@id" => {
                object.id_at = at;
                object.id = Some(self.text_or_empty()?);
            }
            "@type" => {
                object.types_at = at;
                object.types = Some(self.types()?);
            }
            "@value" => {
                object.value_at = at;
                let mut values = self.values()?;
                let (start, end) = (values.start, values.end);
                object.value = Some(values.list.pop().unwrap_or(Node { value: Value::Null, start, end }));
            }
            "@language" => {
                object.language_at = at;
                object.language = Some(self.text_or_empty()?);
            }
            _ => {
                self.values()?;
                object.keywords.push((name, at));
            }
        }
        Ok(())
    }

    fn text_or_empty(&mut self) -> Outcome<String> {
        if self.cursor.peek() == Some(b'"') {
            return self.string();
        }
        self.values()?;
        Ok(String::new())
    }

    fn types(&mut self) -> Outcome<Vec<Option<String>>> {
        match self.cursor.peek() {
            Some(b'"') => Ok(vec![Some(self.string()?)]),
            Some(b'[') => {
                let values = self.values()?.list.into_iter();
                let text = |node: Node| match node.value {
                    Value::Text(text) => Some(text),
                    _ => None,
                };
                Ok(values.map(text).collect())
            }
            _ => {
                self.values()?;
                Ok(Vec::new())
            }
        }
    }

    fn graph(&mut self) -> Outcome<()> {
        let values = self.values()?;
        match values.list.iter().find(|node| !matches!(node.value, Value::Object(_))) {
            Some(node) => {
                let span = self.span(node.start, node.start);
                Err(Box::new(Fault::new("graphNotObject").at(span)))
            }
            None => Ok(()),
        }
    }

    fn context(&mut self) -> Outcome<Vec<ContextPart>> {
        if self.cursor.peek() != Some(b'[') {
            return Ok(vec![self.context_part()?]);
        }
        self.enter()?;
        self.cursor.position += 1;
        let mut parts = Vec::new();
        if self.cursor.peek() != Some(b']') {
            loop {
                parts.push(self.context_part()?);
                if !self.cursor.take(b',') {
                    break;
                }
            }
        }
        if !self.cursor.take(b']') {
            return self.wrong(
                "is not expected here: separate the values of an array by commas and close it with ]",
            );
        }
        self.depth -= 1;
        Ok(parts)
    }

    fn context_part(&mut self) -> Outcome<ContextPart> {
        let first = self.cursor.peek();
        let start = self.cursor.here();
        match first {
            Some(b'"') => Ok(ContextPart::Remote { id: self.string()?, start }),
            Some(b'{') => {
                let mut terms: HashSet<String> = HashSet::new();
                let end = self.members(|reader, term, at| {
                    if terms.contains(&term) {
                        let span = reader.span(at, at);
                        return Err(Box::new(
                            Fault::new("duplicateTermInContextObject").property(term).at(span),
                        ));
                    }
                    reader.definition(&term)?;
                    terms.insert(term);
                    Ok(())
                })?;
                Ok(ContextPart::Local { start, end })
            }
            _ => Err(Box::new(Fault::new("invalidContext").at(self.span(start, start)))),
        }
    }

    /// What a term is defined as; only its form is looked at, as no version allows definitions in place.
    fn definition(&mut self, term: &str) -> Outcome<()> {
        let node_start = self.cursor.here();
        let fault = |reader: &Self, code, at| {
            Err(Box::new(Fault::new(code).transformation(term).at(reader.span(at, at))))
        };
        match self.cursor.peek() {
            Some(b'n' | b'"') => self.node().map(|_| ()),
            Some(b'{') => {
                let node = self.node()?;
                let Value::Object(object) = &node.value else { return Ok(()) };
                match &object.id {
                    Some(id) if id.is_empty() => {
                        fault(self, "termDefinitionIdPropertyNotString", object.id_at)
                    }
                    Some(_) => Ok(()),
                    None => fault(self, "termDefinitionMissingIdProperty", node_start),
                }
            }
            _ => fault(self, "termDefinitionNotStringOrObject", node_start),
        }
    }
}
