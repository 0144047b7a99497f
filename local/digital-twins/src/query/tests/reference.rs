//! Random queries of random graphs: the answer must be that of nested loops, in one page or in many.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::graphs::{budget, cases, pages, put_models, put_relationship, put_twin, rows};
use super::naive::{Arrow, From, Spec, Written};
use crate::query::Budget;
use crate::store::Graph;

const MODELS: [&str; 4] = ["dtmi:t:Base;1", "dtmi:t:Base;2", "dtmi:t:Pump;1", "dtmi:t:Other;1"];
const NAMES: [&str; 3] = ["contains", "feeds", "a"];
const OPERATORS: [&str; 6] = ["=", "!=", "<", "<=", ">", ">="];

fn graph() -> impl Strategy<Value = Graph> {
    let twin = (0..MODELS.len() + 1, prop::option::of(-2..3_i64), prop::option::of("[ab]{0,2}"));
    let twins = prop::collection::vec(twin, 1..7);
    let relationships =
        prop::collection::vec((0..7_usize, 0..7_usize, 0..NAMES.len(), prop::option::of(-2..3_i64)), 0..11);
    // What comes and goes must leave no trace.
    let removed = prop::collection::vec(0..11_usize, 0..4);
    (twins, relationships, removed).prop_map(|(twins, relationships, removed)| {
        let mut graph = Graph::default();
        put_models(
            &mut graph,
            &[(MODELS[0], &[]), (MODELS[1], &[]), (MODELS[2], &[MODELS[0]]), (MODELS[3], &[])],
        );
        let count = twins.len();
        for (number, (model, value, text)) in twins.into_iter().enumerate() {
            let id = format!("n{number}");
            put_twin(&mut graph, &id, MODELS[number % MODELS.len()], json!({"v": 9}));
            let mut properties = json!({});
            if let Some(value) = value {
                properties["v"] = value.into();
            }
            if let Some(text) = text {
                // The same property with another kind of value.
                let name = if text.len() == 2 { "v" } else { "s" };
                properties[name] = text.into();
            }
            put_twin(&mut graph, &id, MODELS.get(model).copied().unwrap_or("dtmi:t:Gone;1"), properties);
        }
        for (number, (source, target, name, _)) in relationships.iter().enumerate() {
            let (source, target) = (format!("n{}", source % count), format!("n{}", target % count));
            put_relationship(&mut graph, &source, &format!("e{}", number % 9), NAMES[*name], &target);
        }
        for number in removed {
            let key = graph.relationships.keys().nth(number).cloned();
            if let Some(key) = key {
                graph.remove_relationship(&key);
            }
        }
        graph
    })
}

fn leaf(parts: usize, twins: usize) -> impl Strategy<Value = Written> {
    let ids = prop::collection::vec((0..8_usize).prop_map(|number| format!("n{number}")), 1..4);
    let twin = 0..twins;
    prop_oneof![
        3 => (0..parts, 0..OPERATORS.len(), -2..3_i64).prop_map(|(part, operator, number)| Written::Number(part, "v", OPERATORS[operator], number)),
        3 => (twin.clone(), any::<bool>(), ids).prop_map(|(part, is_in, ids)| Written::List(part, "$dtId", is_in, ids)),
        1 => (0..parts).prop_map(|part| Written::Defined(part, "s")),
        3 => (twin.clone(), 0..MODELS.len(), any::<bool>()).prop_map(|(part, model, exact)| Written::Model(part, MODELS[model], exact)),
        1 => (twin, "[ab]{0,1}").prop_map(|(part, text)| Written::Starts(part, "s", text)),
    ]
}

fn condition(parts: usize, twins: usize) -> BoxedStrategy<Written> {
    leaf(parts, twins)
        .prop_recursive(4, 12, 2, |inner| {
            prop_oneof![
                2 => (inner.clone(), inner.clone()).prop_map(|(left, right)| Written::And(left.into(), right.into())),
                2 => (inner.clone(), inner.clone()).prop_map(|(left, right)| Written::Or(left.into(), right.into())),
                1 => inner.prop_map(|inner| Written::Not(inner.into())),
            ]
        })
        .boxed()
}

fn arrows() -> impl Strategy<Value = Vec<Arrow>> {
    let arrow = (
        0..3_usize,
        prop::sample::subsequence(NAMES.to_vec(), 0..3),
        1..4_usize,
        1..4_usize,
        prop::option::weighted(0.15, 0..4_usize),
    );
    prop::collection::vec(arrow, 0..4).prop_map(|arrows| {
        let (mut twins, mut left, mut list) = (1, 6, Vec::new());
        for (direction, names, one, other, back_to) in arrows {
            // Half of the arrows have one hop, and all together have few enough for nested loops.
            let hops = if one == 1 { (1, 1) } else { (one.min(other), one.max(other)) };
            if hops.1 > left {
                break;
            }
            left -= hops.1;
            let back_to = back_to.filter(|number| *number < twins);
            twins += usize::from(back_to.is_none());
            list.push(Arrow { forward: direction != 1, backward: direction != 0, names, hops, back_to });
        }
        list
    })
}

fn spec() -> impl Strategy<Value = Spec> {
    let joins = prop::collection::vec((0..6_usize, 0..NAMES.len()), 1..4).prop_map(|joins| {
        From::Joins(
            joins
                .into_iter()
                .enumerate()
                .map(|(number, (from, name))| (from % (number + 1), NAMES[name]))
                .collect(),
        )
    });
    let from = prop_oneof![2 => Just(From::Twins), 1 => Just(From::Relationships), 3 => joins, 5 => arrows().prop_map(From::Match)];
    from.prop_flat_map(|from| {
        let spec = Spec { from, condition: None };
        let parts = spec.parts();
        let twins = parts.iter().filter(|part| part.starts_with('t')).count();
        if twins == 0 {
            let ends = prop::sample::select(vec!["$sourceId", "$targetId"]);
            let ids = prop::collection::vec((0..8_usize).prop_map(|number| format!("n{number}")), 1..4);
            let names = prop::sample::subsequence(NAMES.to_vec(), 1..3);
            let by_end =
                (ends, any::<bool>(), ids).prop_map(|(end, is_in, ids)| Written::List(0, end, is_in, ids));
            let by_name = names.prop_map(|names| {
                Written::List(0, "$relationshipName", true, names.into_iter().map(str::to_owned).collect())
            });
            let both = (by_end.clone(), by_name.clone())
                .prop_map(|(left, right)| Written::And(left.into(), right.into()));
            return prop::option::of(prop_oneof![by_end, by_name, both])
                .prop_map(move |condition| Spec { condition, ..spec.clone() })
                .boxed();
        }
        let free = matches!(spec.from, From::Twins);
        let ids = prop::collection::vec((0..8_usize).prop_map(|number| format!("n{number}")), 1..4);
        let pin = (0..twins, ids).prop_map(|(part, ids)| Written::List(part, "$dtId", true, ids));
        (prop::option::of(condition(parts.len(), twins)), pin)
            .prop_map(move |(condition, pin)| {
                let condition = match condition {
                    condition if free => condition,
                    None => Some(pin),
                    Some(condition) => Some(Written::And(condition.into(), pin.into())),
                };
                Spec { condition, ..spec.clone() }
            })
            .boxed()
    })
}

fn columns(spec: &Spec, row: &Value) -> Vec<String> {
    let keys = spec.parts().into_iter().flat_map(|part| match part.starts_with('t') {
        true => vec![part],
        false => vec![format!("{part}s"), format!("{part}i")],
    });
    keys.map(|key| row[key].as_str().unwrap_or_default().to_owned()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(1500), max_shrink_time: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn the_answer_is_that_of_nested_loops(graph in graph(), spec in spec(), size in 1..6_usize) {
        let text = spec.text();
        let expected = spec.answer(&graph);
        let whole = rows(&graph, &text);
        let mut found: Vec<Vec<String>> = whole.iter().map(|row| columns(&spec, row)).collect();
        found.sort_unstable();
        prop_assert_eq!(&found, &expected, "{}", text);
        let hasty = || Budget::new(Duration::from_secs(60), Default::default()).hasty();
        prop_assert_eq!(&pages(&graph, &text, size, budget), &whole, "in pages: {}", text);
        prop_assert_eq!(&pages(&graph, &text, size, hasty), &whole, "in slices: {}", text);
        let from = text.find(" FROM ").unwrap_or_default();
        let count = format!("SELECT COUNT(){}", &text[from..]);
        prop_assert_eq!(&rows(&graph, &count), &vec![json!({"COUNT": expected.len()})], "{}", count);
    }
}
