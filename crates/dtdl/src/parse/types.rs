//! `@type`: the class of an element, and the supplemental types beside it.

use std::sync::Arc;

use super::{Parser, Place};
use crate::fault::Fault;
use crate::graph::Id;
use crate::jsonld::Object;
use crate::meta::class::{Class, is_class_name};
use crate::meta::metamodel;
use crate::scope::Scope;

/// What `@type` says.
pub(super) struct Types {
    pub(super) class: Class,
    pub(super) supplemental: Vec<Id>,
    pub(super) undefined: Vec<String>,
}

impl Parser<'_> {
    /// Reads `@type`; nothing where the element cannot be read any further.
    pub(super) fn types(
        &mut self,
        object: &Object,
        id: &Id,
        scope: &Scope,
        place: &Place<'_>,
    ) -> Option<Types> {
        let range = place.takes.range;
        let Some(written) = &object.types else {
            let inferred = range.writable().first().copied().filter(|_| !place.takes.needs_type);
            if inferred.is_none() {
                self.bad_type(object, id, place, None);
            }
            return inferred.map(|class| Types { class, supplemental: Vec::new(), undefined: Vec::new() });
        };
        let mut classes: Vec<Class> = Vec::new();
        let (mut supplemental, mut undefined): (Vec<Id>, Vec<String>) = (Vec::new(), Vec::new());
        let mut failed = false;
        for entry in written {
            let text = entry.as_deref().unwrap_or_default();
            let class =
                Class::from_type(text, scope.version()).filter(|class| range.writable().contains(class));
            if let Some(class) = class {
                if !classes.contains(&class) {
                    classes.push(class);
                }
            } else if is_class_name(text) {
                self.bad_type(object, id, place, Some(text));
                failed = true;
            } else {
                match self.supplemental(text, object, id, scope, place) {
                    Ok(Some(kind)) if supplemental.contains(&kind) => {}
                    Ok(Some(kind)) => supplemental.push(kind),
                    Ok(None) => undefined.push(text.to_owned()),
                    Err(Refused) => failed = true,
                }
            }
        }
        if failed {
            return None;
        }
        match classes.as_slice() {
            [] => {
                self.bad_type(object, id, place, None);
                None
            }
            [class] => Some(Types { class: *class, supplemental, undefined }),
            several => {
                let names: Vec<&str> = several.iter().map(|class| class.name()).collect();
                let at = self.point(object.types_at);
                let fault = Fault::new("multipleMaterialTypes").element(id).value(names.join(" and "));
                self.faults.push(fault.at(at));
                None
            }
        }
    }

    fn bad_type(&mut self, object: &Object, id: &Id, place: &Place<'_>, value: Option<&str>) {
        let (at, also) = match place.property {
            Some((_, property)) => (self.property_span(property), Some(self.object_span(object))),
            None => (self.object_span(object), None),
        };
        let mut fault = Fault::new("badType")
            .element_if(place.parent)
            .related(Arc::clone(id))
            .property(place.term())
            .restriction(place.takes.range.names());
        fault.value = value.map(str::to_owned);
        self.faults.push(fault.at(at).also(also));
    }

    /// An entry that is no class: a supplemental type, or an unknown one that is let through.
    fn supplemental(
        &mut self,
        text: &str,
        object: &Object,
        id: &Id,
        scope: &Scope,
        place: &Place<'_>,
    ) -> Result<Option<Id>, Refused> {
        let v2 = scope.version() == 2;
        let refuse = |parser: &mut Self, code| {
            let at = parser.point(object.types_at);
            let fault = Fault::new(code).element(id).value(text).restriction(scope.version().to_string());
            parser.faults.push(fault.at(at));
            Err(Refused)
        };
        let Some(kind) = scope.dtmi(text) else {
            return if text.starts_with("dtmi:") {
                refuse(self, "typeInvalidDtmi")
            } else if v2 {
                Ok(None)
            } else if text.contains(':') {
                refuse(self, "typeNotDtmiNorTerm")
            } else if scope.open {
                Ok(None)
            } else {
                refuse(self, "typeUndefinedTerm")
            };
        };
        let Some(known) = metamodel().supplemental(&kind) else {
            return if scope.open { Ok(None) } else { refuse(self, "typeIrrelevantDtmiOrTerm") };
        };
        if known.is_abstract {
            let at = self.point(object.types_at);
            let fault = Fault::new("abstractSupplementalType").element(id);
            self.faults.push(fault.kind(metamodel().term(&kind)).at(at));
            return Err(Refused);
        }
        if known.is_material {
            self.bad_type(object, id, place, Some(text));
            return Err(Refused);
        }
        Ok(Some(kind))
    }

    /// Checks that the supplemental types may stand beside the class and beside one another. Those that may are kept.
    pub(super) fn cotypes(&mut self, types: &Types, object: &Object, id: &Id, version: u8) -> Vec<Id> {
        let mut kept: Vec<Id> = Vec::new();
        let mut sources: Vec<(&str, &Id)> = Vec::new();
        let at = self.point(object.types_at);
        for kind in &types.supplemental {
            let Some(known) = metamodel().supplemental(kind) else { continue };
            let term = metamodel().term(kind);
            let instead = known.instead.iter().any(|other| types.supplemental.contains(other));
            if !instead && !known.classes.contains(&types.class) {
                let names: Vec<&str> = known
                    .classes
                    .iter()
                    .map(|class| class.name())
                    .chain(known.instead.iter().map(|other| metamodel().term(other)))
                    .collect();
                let fault = Fault::new("invalidCotype").element(id).kind(term);
                self.faults.push(fault.restriction(names.join(" or ")).at(at));
                continue;
            }
            if !instead && !known.versions.contains(&version) {
                let versions: Vec<String> = known.versions.iter().map(u8::to_string).collect();
                let fault = Fault::new("invalidCotypeVersion").element(id).kind(term);
                self.faults.push(fault.restriction(versions.join(" or ")).at(at));
                continue;
            }
            for property in &known.properties {
                match sources.iter().find(|(name, other)| **name == *property.id && *other != kind) {
                    Some((_, other)) => {
                        let fault = Fault::new("conflictingSupplementalTypes")
                            .element(id)
                            .kind(metamodel().term(other))
                            .restriction(term)
                            .property(metamodel().term(&property.id));
                        self.faults.push(fault.at(at));
                        break;
                    }
                    None => sources.push((&property.id, kind)),
                }
            }
            kept.push(Arc::clone(kind));
            for needed in &known.with {
                if !types.supplemental.contains(needed) {
                    let fault = Fault::new("missingCocotype").element(id).kind(term);
                    self.faults.push(fault.restriction(metamodel().term(needed)).at(at));
                }
            }
        }
        kept
    }
}

/// The fault is noted.
struct Refused;
