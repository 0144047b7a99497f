//! A fault as the passes note it: a code, what it is about, and where it stands.

use std::sync::Arc;

use crate::source::Span;

/// Stops the reading of one document after a fault that leaves nothing to go on with.
#[derive(Debug)]
pub(crate) struct Stop;

/// One fault, before it is put into words.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) element: Option<Arc<str>>,
    pub(crate) related: Option<Arc<str>>,
    pub(crate) property: Option<String>,
    /// A second property, as in the one that must be unique.
    pub(crate) aux: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) value: Option<String>,
    pub(crate) restriction: Option<String>,
    pub(crate) transformation: Option<String>,
    pub(crate) at: Option<Span>,
    pub(crate) also: Option<Span>,
}

macro_rules! text_fields {
    ($($name:ident),*) => {
        $(pub(crate) fn $name(mut self, text: impl Into<String>) -> Self {
            self.$name = Some(text.into());
            self
        })*
    };
}

impl Fault {
    pub(crate) fn new(code: &'static str) -> Self {
        Self { code, ..Self::default() }
    }

    pub(crate) fn element(mut self, id: &Arc<str>) -> Self {
        self.element = Some(Arc::clone(id));
        self
    }

    pub(crate) fn element_if(mut self, id: Option<&Arc<str>>) -> Self {
        self.element = id.cloned();
        self
    }

    pub(crate) fn related(mut self, id: impl Into<Arc<str>>) -> Self {
        self.related = Some(id.into());
        self
    }

    text_fields!(property, aux, kind, value, restriction, transformation);

    pub(crate) fn at(mut self, span: impl Into<Option<Span>>) -> Self {
        self.at = span.into();
        self
    }

    pub(crate) fn also(mut self, span: impl Into<Option<Span>>) -> Self {
        self.also = span.into();
        self
    }
}

/// Faults in the order in which they were found, up to a bound: a hostile source must not grow the answer without end.
#[derive(Debug)]
pub(crate) struct Faults {
    pub(crate) list: Vec<Fault>,
    most: usize,
    /// Faults of earlier sources do not keep a later source from being checked.
    pub(crate) count: usize,
}

impl Faults {
    pub(crate) fn new(most: usize) -> Self {
        Self { list: Vec::new(), most: most.max(1), count: 0 }
    }

    pub(crate) fn push(&mut self, fault: Fault) {
        self.count += 1;
        if self.list.len() < self.most {
            self.list.push(fault);
        }
    }

    pub(crate) fn any(&self) -> bool {
        self.count > 0
    }

    /// True when something else is wrong than references to what is not there.
    pub(crate) fn any_but_unresolved(&self) -> bool {
        self.list.iter().any(|fault| fault.code != "unresolvedReference")
    }

    /// Notes a fault and ends the document.
    pub(crate) fn quit<T>(&mut self, fault: Fault) -> Result<T, Stop> {
        self.push(fault);
        Err(Stop)
    }
}
