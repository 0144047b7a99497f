//! Queries that mean harm: they end soon, with an answer or an error, and take no stack.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::json;

use super::graphs::{budget, cases, page, put_relationship, put_twin, rows};
use crate::query::{Budget, GivenUp, QueryLimits, parse};
use crate::store::Graph;

#[test]
fn nesting_costs_no_stack() {
    let wide = QueryLimits { characters: 4_000_000, logical_operators: 1000, ..QueryLimits::default() };
    for depth in [10, 3900, 200_000] {
        let text =
            format!("SELECT * FROM DIGITALTWINS WHERE {}a = 1{}", "(".repeat(depth), ")".repeat(depth));
        assert!(parse(&text, &wide).is_ok());
        let open = format!("SELECT * FROM DIGITALTWINS WHERE {}", "(".repeat(depth));
        assert!(parse(&open, &wide).unwrap_err().message.contains("expected"));
        let not = format!("SELECT * FROM DIGITALTWINS WHERE {}a = 1", "NOT ".repeat(depth / 2));
        assert!(parse(&not, &wide).is_ok());
        let both = format!(
            "SELECT * FROM DIGITALTWINS WHERE {}a = 1{}",
            "NOT (".repeat(depth / 2),
            ")".repeat(depth / 2)
        );
        assert!(parse(&both, &wide).is_ok());
    }
    let alternating =
        format!("SELECT * FROM DIGITALTWINS WHERE {}b = 1{}", "NOT (a = 1 AND ".repeat(900), ")".repeat(900));
    assert!(parse(&alternating, &wide).is_ok());
}

#[test]
fn many_nots_mean_what_they_say() {
    let mut graph = Graph::default();
    put_twin(&mut graph, "x", "dtmi:t:A;1", json!({"a": 1}));
    for count in 0..6 {
        let found = rows(
            &graph,
            &format!("SELECT * FROM DIGITALTWINS WHERE {}(a = 1 OR b = 2)", "NOT ".repeat(count)),
        );
        assert_eq!(found.len(), (count + 1) % 2);
    }
}

/// Every twin related to every other, in both directions.
fn dense(twins: usize) -> Graph {
    let mut graph = Graph::default();
    for number in 0..twins {
        put_twin(&mut graph, &format!("n{number:02}"), "dtmi:t:A;1", json!({"v": number}));
    }
    for source in 0..twins {
        for target in (0..twins).filter(|target| *target != source) {
            let (source, target) = (format!("n{source:02}"), format!("n{target:02}"));
            put_relationship(&mut graph, &source, &format!("to-{target}"), "r", &target);
        }
    }
    graph
}

#[test]
fn ten_hops_through_a_dense_graph_do_not_blow_up() {
    let graph = dense(40);
    for (pattern, expected) in [("-[*10]-", 40), ("-[*..10]->", 40), ("-[:r*9..10]->", 40)] {
        let start = Instant::now();
        let found = rows(
            &graph,
            &format!("SELECT b.$dtId FROM DIGITALTWINS MATCH (a){pattern}(b) WHERE a.$dtId = 'n00'"),
        );
        assert_eq!(found.len(), expected);
        assert!(start.elapsed() < Duration::from_secs(10), "{pattern} took {:?}", start.elapsed());
    }
}

#[test]
fn too_much_work_is_given_up_in_time() {
    let graph = dense(40);
    let text = "SELECT COUNT() FROM DIGITALTWINS MATCH (a)-[]-()-[]-()-[]-()-[]-()-[]-()-[]-()-[]-()-[]-()-[]-(b) WHERE a.$dtId = 'n00'";
    let start = Instant::now();
    let result = page(&graph, text, None, 10, Budget::new(Duration::from_millis(300), Default::default()));
    assert_eq!(result.unwrap_err(), GivenUp::Timeout);
    assert!(start.elapsed() < Duration::from_secs(5));
    let abandoned = std::sync::Arc::new(true.into());
    let result = page(&graph, text, None, 10, Budget::new(Duration::from_secs(60), abandoned));
    assert_eq!(result.unwrap_err(), GivenUp::Abandoned);
    // The first rows of the same are there at once.
    let rows_wanted = text.replace("COUNT()", "b");
    assert_eq!(page(&graph, &rows_wanted, None, 10, budget()).unwrap().0.len(), 10);
}

#[test]
fn a_relationship_is_not_walked_twice() {
    let mut graph = Graph::default();
    for id in ["a", "b", "c"] {
        put_twin(&mut graph, id, "dtmi:t:A;1", json!({}));
    }
    put_relationship(&mut graph, "a", "1", "r", "b");
    put_relationship(&mut graph, "b", "2", "r", "c");
    let ends = |pattern: &str| {
        let rows = rows(
            &graph,
            &format!("SELECT e.$dtId FROM DIGITALTWINS MATCH (s){pattern}(e) WHERE s.$dtId = 'a'"),
        );
        rows.iter().map(|row| row["$dtId"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ends("-[*2]-"), ["c"]);
    assert_eq!(ends("-[]-()-[]-"), ["c"]);
    assert_eq!(ends("-[*3]-"), [""; 0]);
    assert_eq!(ends("-[*1..2]-"), ["c"]);
    assert_eq!(ends("-[*..2]-"), ["b", "c"]);
    // The only way to c and back would use the second relationship twice.
    assert_eq!(ends("-[*2]->()-[]-"), [""; 0]);
}

const VALID: [&str; 8] = [
    "SELECT T.a AS b, T FROM DIGITALTWINS T WHERE IS_OF_MODEL(T, 'dtmi:a:b;1', exact) AND NOT (T.x.y >= -1.5e3 OR T.[[Group]] IN ['a', 'b\\''])",
    "SELECT TOP(3) FROM DIGITALTWINS WHERE STARTSWITH($dtId, 'x') AND ARRAY_CONTAINS(a, 2)",
    "SELECT COUNT() FROM RELATIONSHIPS R WHERE R.$sourceId NIN ['a'] AND IS_NULL(R.x)",
    "SELECT A, B.x, R FROM DIGITALTWINS A JOIN B RELATED A.has R JOIN C RELATED B.has WHERE A.$dtId = 'x' AND C.y != true",
    "SELECT a, r FROM DIGITALTWINS MATCH (a)-[r:x|y]->(b)<-[:z*1..3]-(c)-[*..2]-() WHERE a.$dtId IN ['x', 'y']",
    "SELECT a FROM DIGITALTWINS MATCH (a)-[*3]-(a) WHERE a.$dtId = 'n'",
    "SELECT * FROM DIGITALTWINS WHERE a = 1 AND (b = 2 OR c = 3) AND d IN [1, null, true]",
    "SELECT * FROM RELATIONSHIPS WHERE $targetId = 'ü' AND $relationshipName = 'x'",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(4000), ..ProptestConfig::default() })]

    /// Cuts, doublings and insertions turn good queries into bad ones that a parser may trip over.
    #[test]
    fn changed_queries_are_answered_or_refused(
        which in 0..VALID.len(),
        changes in prop::collection::vec((0..4_u8, 0..400_usize, 0..400_usize, prop::sample::select(vec![
            "(", ")", "[", "]", "[[", "]]", "'", ".", "..", "*", "-", "->", "<-", "|", ":", ",", "NOT ", " OR ", " AND ", "9", "$dtId", "\\", "ä", "\u{0}", " FROM ", " JOIN ", " MATCH ",
        ])), 1..6),
    ) {
        let mut text: Vec<char> = VALID[which].chars().collect();
        for (kind, at, length, inserted) in changes {
            let at = at % (text.len() + 1);
            let end = (at + length % 24).min(text.len());
            match kind {
                0 => { text.drain(at..end); }
                1 => { let part = text[at..end].to_vec(); text.splice(at..at, part); }
                2 => { text.splice(at..at, inserted.chars()); }
                _ => { text.splice(at..end, inserted.chars()); }
            }
        }
        let text: String = text.into_iter().collect();
        let start = Instant::now();
        match parse(&text, &QueryLimits::default()) {
            Ok(_) => {
                let small = dense(3);
                let _ = page(&small, &text, None, 5, Budget::new(Duration::from_secs(2), Default::default()));
            }
            Err(error) => {
                let lines: Vec<&str> = text.split('\n').collect();
                prop_assert!(error.line <= lines.len() && error.position <= lines[error.line - 1].chars().count() + 1);
                prop_assert!(!error.message.is_empty());
            }
        }
        prop_assert!(start.elapsed() < Duration::from_secs(4));
    }
}
