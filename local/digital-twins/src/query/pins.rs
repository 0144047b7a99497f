//! What a condition says about identifiers and models, so that only rows that can meet it are looked at.
//!
//! Everything here holds of every row that meets the condition; the condition itself is still asked of each.

use std::collections::BTreeSet;

use serde_json::Value;

use super::ast::{Condition, Operand, Operator, Path, Query, Source, Test};

/// The texts that a property of a part of the row must be one of; `None` when the condition leaves it open.
pub(crate) fn texts(query: &Query, slot: usize, names: &[&str]) -> Option<BTreeSet<String>> {
    query.condition.as_ref().and_then(|condition| texts_of(condition, slot, names))
}

/// True when some twin of a row can only be one of a few.
pub(crate) fn any(query: &Query) -> bool {
    let slots = query.slots.iter().enumerate();
    slots
        .filter(|(_, slot)| slot.source == Source::Twins)
        .any(|(slot, _)| texts(query, slot, &["$dtId"]).is_some())
}

fn texts_of(condition: &Condition, slot: usize, names: &[&str]) -> Option<BTreeSet<String>> {
    let is_asked = |path: &Path| path.slot == slot && path.names.iter().eq(names.iter());
    match condition {
        Condition::All(list) => {
            let pinned = list.iter().filter_map(|inner| texts_of(inner, slot, names));
            pinned.reduce(|left, right| left.intersection(&right).cloned().collect())
        }
        Condition::Any(list) => list.iter().try_fold(BTreeSet::new(), |mut union, inner| {
            union.append(&mut texts_of(inner, slot, names)?);
            Some(union)
        }),
        Condition::Test {
            test: Test::Compare { left, operator: Operator::Equal, right },
            negated: false,
        } => match (left, right) {
            (Operand::Path(path), Operand::Literal(value))
            | (Operand::Literal(value), Operand::Path(path))
                if is_asked(path) =>
            {
                Some(value.as_str().map(str::to_owned).into_iter().collect())
            }
            _ => None,
        },
        // NOT (x NIN […]) also lets a missing x through, but the properties asked for here are never missing.
        Condition::Test {
            test: Test::In { operand: Operand::Path(path), list, negated: not_in },
            negated,
        } if negated == not_in && is_asked(path) => {
            Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        }
        Condition::Test { .. } => None,
    }
}

/// The numbers of the `IS_OF_MODEL` of which one must hold of a part of the row.
pub(crate) fn models(query: &Query, slot: usize) -> Option<Vec<usize>> {
    query.condition.as_ref().and_then(|condition| models_of(query, condition, slot))
}

fn models_of(query: &Query, condition: &Condition, slot: usize) -> Option<Vec<usize>> {
    match condition {
        Condition::All(list) => list.iter().find_map(|inner| models_of(query, inner, slot)),
        Condition::Any(list) => list.iter().try_fold(Vec::new(), |mut union, inner| {
            union.append(&mut models_of(query, inner, slot)?);
            Some(union)
        }),
        Condition::Test { test: Test::IsOfModel(number), negated: false }
            if query.models[*number].slot == slot =>
        {
            Some(vec![*number])
        }
        Condition::Test { .. } => None,
    }
}
