//! `@context`: which version of the language and which extensions hold for an element and all inside it.

use std::sync::Arc;

use crate::fault::{Fault, Faults, Stop};
use crate::graph::point;
use crate::jsonld::{ContextPart, Object};
use crate::meta::{Context, metamodel};
use crate::options::{Options, UndefinedExtensions};
use crate::source::Span;

const LANGUAGE: &str = "dtmi:dtdl:context";
/// A context that brings its version of the language along.
const WITH_LANGUAGE: (&str, &str, u8) = ("dtmi:iotcentral:context;2", LANGUAGE, 2);

/// What contexts bring into scope.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    language: Option<&'static Context>,
    /// In the order of the text; a later version of a context replaces an earlier one.
    extensions: Vec<&'static Context>,
    /// True when a context is let through that nobody knows.
    pub(crate) open: bool,
    /// Where the version of the language is named.
    pub(crate) named_at: Option<Span>,
}

/// An identifier or another IRI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Iri {
    Dtmi(Arc<str>),
    Other(Arc<str>),
}

impl Scope {
    /// Version of the language, 0 outside any.
    pub(crate) fn version(&self) -> u8 {
        self.language.map_or(0, |context| u8::try_from(context.major).unwrap_or(0))
    }

    /// The scope inside an object.
    pub(crate) fn enter(
        self: &Arc<Self>,
        object: &Object,
        document: u32,
        options: &Options,
        faults: &mut Faults,
    ) -> Result<Arc<Self>, Stop> {
        let span = Span { document, start: object.start, end: object.end };
        match &object.context {
            None if self.language.is_none() => faults.quit(Fault::new("missingContext").at(span)),
            None => Ok(Arc::clone(self)),
            Some(parts) if parts.is_empty() => {
                if self.language.is_none() {
                    return faults.quit(Fault::new("emptyContext").at(point(document, object.context_at)));
                }
                Ok(Arc::clone(self))
            }
            Some(parts) => {
                let mut reader = Reader { scope: (**self).clone(), document, options, faults };
                reader.read(parts)?;
                Ok(Arc::new(reader.scope))
            }
        }
    }

    /// Prefixes of identifiers that contexts in scope keep to themselves.
    pub(crate) fn reserved(&self) -> impl Iterator<Item = &'static str> {
        let contexts = self.language.into_iter().chain(self.extensions.iter().copied());
        contexts.flat_map(|context| context.reserved.iter().map(String::as_str))
    }

    /// What a term or an identifier stands for, if it is an identifier of a digital twin model.
    pub(crate) fn dtmi(&self, text: &str) -> Option<Arc<str>> {
        match self.iri(text)? {
            Iri::Dtmi(id) => Some(id),
            Iri::Other(_) => None,
        }
    }

    /// What a term or an identifier stands for.
    pub(crate) fn iri(&self, text: &str) -> Option<Iri> {
        if text.starts_with("dtmi:") {
            return is_reference(text, self.version()).then(|| Iri::Dtmi(text.into()));
        }
        match text.split_once(':') {
            None => {
                let contexts = self.language.into_iter().chain(self.extensions.iter().copied());
                contexts.into_iter().find_map(|context| context.term(text)).cloned().map(Iri::Dtmi)
            }
            Some((scheme, _)) => is_scheme(scheme).then(|| Iri::Other(text.into())),
        }
    }
}

/// The pattern of identifiers, as references and definitions alike have it in one version.
pub(crate) fn is_reference(text: &str, version: u8) -> bool {
    let language = if version == 2 { crate::Language::V2 } else { crate::Language::V3 };
    crate::Dtmi::parse(text, language).is_ok()
}

fn is_scheme(text: &str) -> bool {
    text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// Identifier of a context, taken apart: path, major and minor version, fragment.
struct ContextId<'t> {
    path: &'t str,
    major: u32,
    minor: u32,
    fragment: &'t str,
}

impl<'t> ContextId<'t> {
    /// Accepts what any version of the language would, system segments included.
    fn parse(text: &'t str) -> Option<Self> {
        let (id, fragment) = match text.split_once('#') {
            Some((id, fragment)) => (id, fragment),
            None => (text, ""),
        };
        if !fragment.is_empty() && !is_system_segment(fragment) {
            return None;
        }
        let (path, version) = match id.split_once(';') {
            Some((path, version)) => (path, Some(version)),
            None => (id, None),
        };
        if !path.strip_prefix("dtmi:")?.split(':').all(is_system_segment) {
            return None;
        }
        let Some(version) = version else { return Some(Self { path, major: 0, minor: 0, fragment }) };
        // The version of an identifier with any path has the same form.
        is_reference(&format!("dtmi:a;{version}"), 3).then_some(())?;
        let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
        Some(Self { path, major: major.parse().ok()?, minor: minor.parse().ok()?, fragment })
    }
}

/// A segment, or one that begins with underscores.
fn is_system_segment(text: &str) -> bool {
    let rest = text.trim_start_matches('_');
    let start = if rest.len() < text.len() {
        rest.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
    } else {
        rest.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
    };
    start && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && !rest.ends_with('_')
}

struct Reader<'a> {
    scope: Scope,
    document: u32,
    options: &'a Options,
    faults: &'a mut Faults,
}

impl Reader<'_> {
    fn quit<T>(&mut self, fault: Fault, part: &ContextPart) -> Result<T, Stop> {
        let (start, end) = part.range();
        self.faults.quit(fault.at(Span { document: self.document, start, end }))
    }

    fn read(&mut self, parts: &[ContextPart]) -> Result<(), Stop> {
        let mut parts = parts.iter().peekable();
        let first = parts.peek().copied();
        let id = |part: &ContextPart| match part {
            ContextPart::Remote { id, .. } => Some(id.clone()),
            ContextPart::Local { .. } => None,
        };
        let mut preface = Vec::new();
        while let Some(part) = parts.next_if(|part| id(part).as_deref() == Some(WITH_LANGUAGE.0)) {
            preface.extend(self.extension(part, WITH_LANGUAGE.2)?);
        }
        let is_language = |part: &ContextPart| {
            id(part).is_some_and(|id| id.strip_prefix(LANGUAGE).is_some_and(|rest| rest.starts_with(';')))
        };
        while let Some(part) = parts.next_if(|part| is_language(part)) {
            self.language(part)?;
        }
        if self.scope.language.is_none()
            && let Some(part) = first
        {
            return self.quit(Fault::new("missingDtdlContext"), part);
        }
        let version = self.scope.version();
        let rest: Vec<&ContextPart> = parts.collect();
        if let Some(last @ ContextPart::Local { .. }) = rest.last().copied().or(first) {
            return self.quit(Fault::new("disallowedLocalContext").restriction(version.to_string()), last);
        }
        for context in preface {
            self.add(context);
        }
        for part in rest {
            match self.extension(part, version)? {
                Some(context) => self.add(context),
                None => self.scope.open = true,
            }
        }
        Ok(())
    }

    fn add(&mut self, context: &'static Context) {
        match self.scope.extensions.iter_mut().find(|known| known.name == context.name) {
            Some(known) => *known = context,
            None => self.scope.extensions.push(context),
        }
    }

    fn language(&mut self, part: &ContextPart) -> Result<(), Stop> {
        let ContextPart::Remote { id: text, .. } = part else { return Ok(()) };
        let fault = |code| Fault::new(code).value(text);
        let Some(id) = ContextId::parse(text) else {
            return self.quit(fault("invalidContextSpecifier"), part);
        };
        let limits = matches!(id.fragment, "" | "limitless" | "limits");
        if !limits {
            return self.quit(fault("invalidContextFragment"), part);
        }
        if !id.fragment.is_empty() && id.major != 4 {
            return self.quit(fault("disallowedContextFragment").restriction(id.major.to_string()), part);
        }
        if id.major == 0 {
            return self.quit(fault("missingContextVersion"), part);
        }
        let most = self.options.newest.number();
        if id.major == 4 {
            return self.quit(fault("disallowedContextVersion").restriction(most.to_string()), part);
        }
        let known = metamodel().versions(LANGUAGE).unwrap_or_default();
        let Some(context) = known.iter().find(|context| context.major == id.major) else {
            return self.quit(fault("unrecognizedContextVersion").restriction("2, 3"), part);
        };
        if id.major > u32::from(most) {
            return self.quit(fault("disallowedContextVersion").restriction(most.to_string()), part);
        }
        let version = u8::try_from(id.major).unwrap_or(0);
        if !is_reference(text, version) {
            return self
                .quit(fault("invalidContextSpecifierForVersion").restriction(version.to_string()), part);
        }
        self.scope.language = Some(context);
        let (start, end) = part.range();
        self.scope.named_at = Some(Span { document: self.document, start, end });
        Ok(())
    }

    /// The context of an extension, or nothing where it is unknown and let through.
    fn extension(&mut self, part: &ContextPart, version: u8) -> Result<Option<&'static Context>, Stop> {
        let ContextPart::Remote { id: text, .. } = part else {
            return self.quit(Fault::new("localContextNotLast"), part);
        };
        let fault = |code| Fault::new(code).value(text);
        if text.starts_with("dtmi:dtdl:context;") {
            return self.quit(fault("dtdlContextFollowsAffiliate"), part);
        }
        if !text.starts_with("dtmi:") {
            return self.quit(fault("nonDtmiContextSpecifier"), part);
        }
        let Some(id) = ContextId::parse(text).filter(|_| !text.contains('#')) else {
            return self.quit(fault("invalidContextSpecifier"), part);
        };
        if !is_reference(text, version) {
            return self
                .quit(fault("invalidContextSpecifierForVersion").restriction(version.to_string()), part);
        }
        if id.major == 0 {
            return self.quit(fault("missingContextVersion"), part);
        }
        let open = match self.options.undefined_extensions {
            UndefinedExtensions::Allow => true,
            UndefinedExtensions::Refuse => false,
            UndefinedExtensions::ByVersion => version == 2,
        };
        let Some(known) = metamodel().versions(id.path) else {
            return if open { Ok(None) } else { self.quit(fault("unresolvableContextSpecifier"), part) };
        };
        // All contexts that are known have minor version 0, which any later minor version includes.
        let _ = id.minor;
        match known.iter().find(|context| context.major == id.major) {
            Some(context) => Ok(Some(context)),
            None if open => Ok(None),
            None => {
                let versions: Vec<String> = known.iter().map(|context| context.major.to_string()).collect();
                self.quit(fault("unresolvableContextVersion").restriction(versions.join(", ")), part)
            }
        }
    }
}
