//! Comparisons, lists and functions.

use serde_json::Value;
use twinwright_dtdl::Dtmi;

use super::{Parser, is_word};
use crate::query::ast::{Kind, ModelTest, Operand, Operator, Source, Test, TextFunction};
use crate::query::error::QueryError;
use crate::query::lexer::Token;

const MODEL_EXAMPLE: &str = "IS_OF_MODEL(T, 'dtmi:example:Pump;1')";

impl Parser<'_> {
    pub(super) fn test(&mut self) -> Result<Test, QueryError> {
        if let (Token::Word(word), Token::Sign("(")) = (self.token(), self.following()) {
            let name = word.to_ascii_uppercase();
            return self.function(&name);
        }
        let left = self.operand()?;
        let negated = is_word(self.token(), "NIN")
            || is_word(self.token(), "NOT_IN")
            || (is_word(self.token(), "NOT") && is_word(self.following(), "IN"));
        if negated || is_word(self.token(), "IN") {
            if is_word(self.token(), "NOT") {
                self.advance();
            }
            self.advance();
            return Ok(Test::In { operand: left, list: self.literals()?, negated });
        }
        let operator = match self.token() {
            Token::Sign("=") => Operator::Equal,
            Token::Sign("!=") => Operator::NotEqual,
            Token::Sign("<") => Operator::Less,
            Token::Sign("<=") => Operator::LessOrEqual,
            Token::Sign(">") => Operator::Greater,
            Token::Sign(">=") => Operator::GreaterOrEqual,
            token => {
                if is_word(token, "LIKE") {
                    return self.error("LIKE is not offered: use STARTSWITH, ENDSWITH or CONTAINS");
                }
                return match left {
                    Operand::Path(path) => Ok(Test::Holds(path)),
                    Operand::Literal(_) => {
                        self.error("a comparison was expected here, as in T.temperature > 50")
                    }
                };
            }
        };
        self.advance();
        if *self.token() == Token::Sign("=") {
            return self.error("equality is written with one '='");
        }
        Ok(Test::Compare { left, operator, right: self.operand()? })
    }

    fn operand(&mut self) -> Result<Operand, QueryError> {
        if let Some(value) = self.literal() {
            return Ok(Operand::Literal(value));
        }
        match self.token() {
            Token::Word(_) | Token::Quoted(_) => self.path().map(Operand::Path),
            Token::End => self.error("the query ends where a property or value was expected"),
            _ => self.error("a property or a value was expected here, as in T.temperature or 'text'"),
        }
    }

    fn literal(&mut self) -> Option<Value> {
        let value = match self.token() {
            Token::Text(text) => Value::from(text.as_str()),
            Token::Number(number) => Value::Number(number.clone()),
            token if is_word(token, "true") => Value::Bool(true),
            token if is_word(token, "false") => Value::Bool(false),
            token if is_word(token, "null") => Value::Null,
            _ => return None,
        };
        self.advance();
        Some(value)
    }

    fn literals(&mut self) -> Result<Vec<Value>, QueryError> {
        self.expect_sign("[", "IN ['a', 'b']")?;
        let mut list = Vec::new();
        loop {
            let place = self.place();
            let Some(value) = self.literal() else {
                return self.error("a value was expected here, as in ['a', 'b']");
            };
            list.push(value);
            if list.len() > self.limits.list_items {
                return Err(place.error(format!(
                    "a list holds {} values at most: split the query",
                    self.limits.list_items
                )));
            }
            if !self.sign(",") {
                break;
            }
        }
        self.expect_sign("]", "IN ['a', 'b']")?;
        Ok(list)
    }

    fn function(&mut self, name: &str) -> Result<Test, QueryError> {
        let kind = match name {
            "IS_OF_MODEL" => return self.is_of_model(),
            "STARTSWITH" | "STARTS_WITH" => return self.text_function(TextFunction::StartsWith),
            "ENDSWITH" | "ENDS_WITH" => return self.text_function(TextFunction::EndsWith),
            "CONTAINS" => return self.text_function(TextFunction::Contains),
            "ARRAY_CONTAINS" => return self.array_contains(),
            "IS_DEFINED" => Kind::Defined,
            "IS_NULL" => Kind::Null,
            "IS_BOOL" => Kind::Bool,
            "IS_NUMBER" => Kind::Number,
            "IS_STRING" => Kind::String,
            "IS_PRIMITIVE" => Kind::Primitive,
            "IS_OBJECT" => Kind::Object,
            _ => {
                return self.error(format!(
                    "there is no function '{name}': IS_OF_MODEL, IS_DEFINED, IS_NULL, IS_BOOL, IS_NUMBER, IS_STRING, \
                     IS_PRIMITIVE, IS_OBJECT, STARTSWITH, ENDSWITH, CONTAINS and ARRAY_CONTAINS are offered"
                ));
            }
        };
        self.open();
        let path = self.path()?;
        self.expect_sign(")", "IS_DEFINED(T.name)")?;
        Ok(Test::Is { kind, path })
    }

    /// Steps over the function's name and its parenthesis, which the caller has seen.
    fn open(&mut self) {
        self.advance();
        self.advance();
    }

    fn is_of_model(&mut self) -> Result<Test, QueryError> {
        let start = self.place();
        self.open();
        let slot = if let Token::Word(_) | Token::Quoted(_) = self.token() {
            let place = self.place();
            let name = self.name("a collection of twins")?;
            let Some(slot) = self.slot_named(&name) else {
                return Err(place.error(match self.slots.iter().any(|slot| slot.name.is_some()) {
                    true => self.unknown_collection(&name),
                    false => {
                        format!("there is no collection '{name}': name it, as in FROM DIGITALTWINS {name}")
                    }
                }));
            };
            if *self.token() == Token::Sign(".") {
                return self
                    .error(format!("IS_OF_MODEL takes a collection, not a property, as in {MODEL_EXAMPLE}"));
            }
            self.expect_sign(",", MODEL_EXAMPLE)?;
            slot
        } else if self.slots.len() == 1 {
            0
        } else {
            return self
                .error(format!("IS_OF_MODEL must say which collection it asks, as in {MODEL_EXAMPLE}"));
        };
        if self.slots[slot].source == Source::Relationships {
            return Err(start.error("relationships have no model: ask IS_OF_MODEL of a collection of twins"));
        }
        let Token::Text(text) = self.token() else {
            return self.error(format!(
                "IS_OF_MODEL takes the identifier of a model in quotation marks, as in {MODEL_EXAMPLE}"
            ));
        };
        // The language's own reference shows an identifier with a space in it.
        let bare: String = text.chars().filter(|character| !character.is_whitespace()).collect();
        let Ok(model) = bare.parse::<Dtmi>() else {
            return self.error(format!(
                "'{text}' is no identifier of a model, which looks like dtmi:example:Pump;1"
            ));
        };
        self.advance();
        let exact = self.sign(",");
        if exact && !self.keyword("exact") {
            return self.error("only the word exact may stand here, without quotation marks");
        }
        self.expect_sign(")", MODEL_EXAMPLE)?;
        self.models.push(ModelTest { slot, model, exact });
        Ok(Test::IsOfModel(self.models.len() - 1))
    }

    fn text_function(&mut self, function: TextFunction) -> Result<Test, QueryError> {
        let example = "STARTSWITH(T.name, 'pump-')";
        self.open();
        let left = self.operand()?;
        self.expect_sign(",", example)?;
        let right = self.operand()?;
        self.expect_sign(")", example)?;
        Ok(Test::Text { function, left, right })
    }

    fn array_contains(&mut self) -> Result<Test, QueryError> {
        let example = "ARRAY_CONTAINS(T.floors, 2)";
        self.open();
        let path = self.path()?;
        if self.slots[path.slot].source == Source::Relationships {
            return Err(path.place.error("ARRAY_CONTAINS asks properties of twins, not of relationships"));
        }
        self.expect_sign(",", example)?;
        let Some(value) = self.literal() else {
            return self.error(format!("a value was expected here, as in {example}"));
        };
        self.expect_sign(")", example)?;
        Ok(Test::ArrayContains { path, value })
    }
}
