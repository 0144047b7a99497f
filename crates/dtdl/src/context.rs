//! `@context`: which language, and which extensions of it.

use serde_json::Value;

use crate::element::Language;
use crate::error::ErrorKind;

/// Feature extensions of v3 that Azure Digital Twins lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extension {
    Annotation,
    Historization,
    Overriding,
    QuantitativeTypes,
}

/// What `@context` brings into scope for an interface and all inside it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scope {
    pub(crate) language: Language,
    pub(crate) extensions: Vec<Extension>,
    /// True where unknown co-types and their properties are let through: v2 by default, or an affiliate context there.
    pub(crate) open: bool,
}

impl Scope {
    /// Reads `@context`; the error says what to write instead.
    pub(crate) fn read(context: Option<&Value>) -> Result<Self, (ErrorKind, String)> {
        let fault = |message: String| (ErrorKind::Context, message);
        let list: Vec<&Value> = match context {
            None => {
                return Err(fault(
                    "@context is missing: add \"@context\": \"dtmi:dtdl:context;2\" or \"dtmi:dtdl:context;3\"".into(),
                ));
            }
            Some(Value::Array(list)) => list.iter().collect(),
            Some(one) => vec![one],
        };
        let mut scope: Option<Self> = None;
        for (position, entry) in list.iter().enumerate() {
            let Value::String(text) = entry else {
                return Err(fault(
                    "@context holds a local definition: only identifiers of contexts are allowed, remove it"
                        .into(),
                ));
            };
            if let Some(rest) = text.strip_prefix("dtmi:dtdl:context;") {
                let language = match rest {
                    "2" => Language::V2,
                    "3" => Language::V3,
                    "4" => {
                        return Err(fault(
                            "'dtmi:dtdl:context;4' is not supported by Azure Digital Twins: write the model in version 2 or 3"
                                .into(),
                        ));
                    }
                    _ => {
                        return Err(fault(format!(
                            "'{text}' is no known language: use dtmi:dtdl:context;2 or ;3"
                        )));
                    }
                };
                if scope.as_ref().is_some_and(|scope| scope.language == language) {
                    continue;
                }
                if position != 0 {
                    return Err(fault(format!(
                        "'{text}' must be the first entry of @context: move it to the front"
                    )));
                }
                scope = Some(Self { language, extensions: Vec::new(), open: language == Language::V2 });
                continue;
            }
            if text == "dtmi:dtdl:context" {
                return Err(fault("'dtmi:dtdl:context' has no version: append ;2 or ;3".into()));
            }
            let Some(scope) = scope.as_mut() else {
                return Err(fault(format!(
                    "@context begins with '{text}': put dtmi:dtdl:context;2 or ;3 first"
                )));
            };
            scope.extend(text).map_err(fault)?;
        }
        scope.ok_or_else(|| fault("@context is empty: add dtmi:dtdl:context;2 or dtmi:dtdl:context;3".into()))
    }

    fn extend(&mut self, text: &str) -> Result<(), String> {
        if crate::dtmi::Dtmi::parse(text, Language::V3).is_err() {
            return Err(format!("'{text}' is no identifier of a context: remove it or write it as dtmi:…;1"));
        }
        if let Some(rest) = text.strip_prefix("dtmi:dtdl:") {
            let extension = match rest {
                "extension:annotation;1" | "extension:annotation;2" => Extension::Annotation,
                "extension:historization;1" | "extension:historization;2" => Extension::Historization,
                "extension:overriding;1" | "extension:overriding;2" => Extension::Overriding,
                "extension:quantitativeTypes;1" => Extension::QuantitativeTypes,
                _ => return Err(format!("'{text}' is no known extension of version 2 or 3: remove it")),
            };
            if self.language == Language::V2 {
                return Err(format!(
                    "'{text}' needs version 3: change the first context to dtmi:dtdl:context;3"
                ));
            }
            self.extensions.push(extension);
            return Ok(());
        }
        match self.language {
            // v2 lets contexts through that nobody here can resolve; v3 does not.
            Language::V2 if crate::dtmi::Dtmi::parse(text, Language::V2).is_ok() => Ok(()),
            Language::V2 => Err(format!("'{text}' has no version that DTDL v2 allows: use a whole number")),
            Language::V3 => Err(format!(
                "'{text}' is an unknown extension: remove it, version 3 takes only extensions that are known"
            )),
        }
    }

    /// True when the extension that defines this co-type is in scope.
    pub(crate) fn defines_adjunct(&self, term: &str) -> bool {
        let extension = match term {
            "ValueAnnotation" => Extension::Annotation,
            "Historized" => Extension::Historization,
            "Override" => Extension::Overriding,
            _ => return false,
        };
        self.extensions.contains(&extension)
    }
}
