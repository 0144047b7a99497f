//! Pages while others write.

use serde_json::json;

use super::graphs::{budget, page, put_relationship, put_twin};
use crate::store::Graph;

fn graph() -> Graph {
    let mut graph = Graph::default();
    for number in 0..20 {
        put_twin(&mut graph, &format!("n{:02}", 2 * number), "dtmi:t:A;1", json!({"v": number}));
    }
    for number in 1..20 {
        put_relationship(&mut graph, "n00", &format!("e{number:02}"), "has", &format!("n{:02}", 2 * number));
    }
    graph
}

#[test]
fn no_row_comes_twice_and_none_is_left_out_while_others_write() {
    for (text, key) in [
        ("SELECT T.$dtId FROM DIGITALTWINS T WHERE T.v >= 1", "$dtId"),
        ("SELECT R.$targetId FROM RELATIONSHIPS R WHERE R.$sourceId = 'n00'", "$targetId"),
        ("SELECT B.$dtId FROM DIGITALTWINS A JOIN B RELATED A.has WHERE A.$dtId = 'n00'", "$dtId"),
        ("SELECT b.$dtId FROM DIGITALTWINS MATCH (a)-[]->(b) WHERE a.$dtId IN ['n00', 'x']", "$dtId"),
        ("SELECT b.$dtId FROM DIGITALTWINS MATCH (a)-[*..2]->(b) WHERE a.$dtId = 'n00'", "$dtId"),
    ] {
        let mut graph = graph();
        let (first, state) = page(&graph, text, None, 8, budget()).unwrap();
        // The last row of the page goes, one comes before it, and one after.
        graph.remove_relationship(&("n00".into(), "e08".into()));
        graph.remove_twin("n16");
        put_twin(&mut graph, "n01", "dtmi:t:A;1", json!({"v": 99}));
        put_twin(&mut graph, "n33", "dtmi:t:A;1", json!({"v": 99}));
        put_relationship(&mut graph, "n00", "e01x", "has", "n01");
        put_relationship(&mut graph, "n00", "e16x", "has", "n33");
        let (rest, end) = page(&graph, text, state.after, 100, budget()).unwrap();
        assert!(end.after.is_none());
        let ids: Vec<&str> = first.iter().chain(&rest).filter_map(|row| row[key].as_str()).collect();
        let mut expected: Vec<String> = (1..20).map(|number| format!("n{:02}", 2 * number)).collect();
        expected.insert(expected.iter().position(|id| id == "n34").unwrap(), "n33".into());
        assert_eq!(ids, expected, "{text}");
    }
}

#[test]
fn the_last_page_is_known_to_be_the_last() {
    let graph = graph();
    for text in [
        "SELECT * FROM DIGITALTWINS",
        "SELECT * FROM DIGITALTWINS T WHERE IS_OF_MODEL(T, 'dtmi:t:A;1')",
        "SELECT * FROM DIGITALTWINS MATCH (a) WHERE a.$dtId IN ['n00', 'n02', 'n04', 'n06']",
    ] {
        let (rows, state) = page(&graph, text, None, 4, budget()).unwrap();
        assert_eq!((rows.len(), state.after.is_none()), (4, text.contains("MATCH")), "{text}");
    }
}
