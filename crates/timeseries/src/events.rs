//! Events of one time series as columns.

use std::sync::Arc;

use twinwright_core::time::Micros;

use crate::value::{Value, ValueType};

/// A property of events, one entry an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Numbers, NaN where an event has none.
    Numbers(Vec<f64>),
    /// Texts.
    Texts(Vec<Option<Arc<str>>>),
}

/// Some events, ascending in time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Events {
    /// Event times.
    pub times: Vec<Micros>,
    /// Properties by name; a name may be there as numbers and as texts.
    pub columns: Vec<(Arc<str>, Column)>,
}

impl Events {
    /// A property of an event. A number is a Double; asked for as Long, it is there if it is whole.
    pub(crate) fn value(&self, name: &str, kind: Option<ValueType>, at: usize) -> Value {
        let mut found = Value::Null;
        for (_, column) in self.columns.iter().filter(|(known, _)| **known == *name) {
            found = match (column, kind) {
                (Column::Numbers(values), _) => match (values.get(at), kind) {
                    (Some(value), Some(ValueType::Long)) if value.fract() == 0.0 => {
                        crate::value::whole(*value)
                    }
                    (Some(value), None | Some(ValueType::Double)) => crate::value::finite(*value),
                    (Some(value), Some(ValueType::Bool)) if value.is_finite() => Value::Bool(*value != 0.0),
                    _ => Value::Null,
                },
                // A text that looks like a number is no number: an expression says so where it means it.
                (Column::Texts(_), Some(ValueType::Double | ValueType::Long)) => Value::Null,
                (Column::Texts(texts), kind) => {
                    let text = texts.get(at).and_then(Option::as_ref);
                    let text = text.map_or(Value::Null, |text| Value::String(Arc::clone(text)));
                    kind.map_or_else(|| text.clone(), |kind| text.cast(kind))
                }
            };
            if !found.is_null() {
                break;
            }
        }
        found
    }
}
