//! What is refused, where, and with what words.

use crate::query::{QueryError, QueryLimits, parse};

fn error(text: &str) -> QueryError {
    parse(text, &QueryLimits::default()).expect_err(text)
}

#[test]
fn errors_name_their_place_and_what_to_do() {
    let mut wrong = Vec::new();
    for (text, line, position, word) in [
        ("", 1, 1, "SELECT"),
        ("SELECT", 1, 7, "collection or property"),
        ("SELECT *", 1, 9, "FROM"),
        ("SELECT *\nFROM DIGITALTWIN", 2, 6, "DIGITALTWINS"),
        ("SELECT * FROM (SELECT * FROM DIGITALTWINS)", 1, 15, "inside"),
        ("SELECT * FROM DIGITALTWINS WHERE", 1, 33, "ends"),
        ("SELECT * FROM DIGITALTWINS T WHERE T.a =", 1, 41, "ends"),
        ("SELECT * FROM DIGITALTWINS T WHERE T.a == 1", 1, 41, "one '='"),
        ("SELECT * FROM DIGITALTWINS WHERE a IN []", 1, 40, "value"),
        ("SELECT * FROM DIGITALTWINS WHERE a IN ('x')", 1, 39, "'['"),
        ("SELECT * FROM DIGITALTWINS WHERE a = 'x", 1, 38, "close it"),
        ("SELECT * FROM DIGITALTWINS WHERE a = \"x\"", 1, 38, "' and '"),
        ("SELECT * FROM DIGITALTWINS WHERE a = @id", 1, 38, "parameters"),
        ("SELECT * FROM DIGITALTWINS WHERE a LIKE 'x'", 1, 36, "STARTSWITH"),
        ("SELECT * FROM DIGITALTWINS WHERE Group = 'x'", 1, 34, "[[Group]]"),
        ("SELECT * FROM DIGITALTWINS T WHERE T.order = 'x'", 1, 38, "[[order]]"),
        ("SELECT * FROM DIGITALTWINS T WHERE T.tags.1 = 'x'", 1, 43, "[[1]]"),
        ("SELECT * FROM DIGITALTWINS T WHERE T.tags.1st = 'x'", 1, 43, "[[1"),
        ("SELECT * FROM DIGITALTWINS T WHERE T.list[0] = 1", 1, 42, "ARRAY_CONTAINS"),
        ("SELECT * FROM DIGITALTWINS ORDER BY x", 1, 28, "ORDER"),
        ("SELECT * FROM DIGITALTWINS T WHERE T.a = 1 GROUP BY x", 1, 44, "GROUP"),
        ("SELECT * FROM DIGITALTWINS WHERE WHAT(a)", 1, 34, "IS_DEFINED"),
        ("SELECT AVG(T.x) FROM DIGITALTWINS T", 1, 8, "COUNT()"),
        ("SELECT TOP(-1) FROM DIGITALTWINS", 1, 12, "TOP(10)"),
        ("SELECT *, a FROM DIGITALTWINS", 1, 9, "alone"),
        ("SELECT a.x, b FROM DIGITALTWINS T, x", 1, 34, "JOIN"),
        ("SELECT T.x, T.y.x FROM DIGITALTWINS T", 1, 8, "AS"),
        ("SELECT * FROM DIGITALTWINS WHERE (a = 1", 1, 34, "not closed"),
        ("SELECT * FROM DIGITALTWINS WHERE a = 1)", 1, 39, "closes nothing"),
        ("SELECT * FROM DIGITALTWINS WHERE a = 1 b = 2", 1, 40, "AND"),
        ("SELECT * FROM DIGITALTWINS WHERE 1", 1, 35, "comparison"),
        ("SELECT * FROM DIGITALTWINS T WHERE T", 1, 36, "T.name"),
        ("SELECT * FROM DIGITALTWINS T WHERE IS_DEFINED(T)", 1, 47, "T.name"),
        // Models
        ("SELECT * FROM DIGITALTWINS WHERE IS_OF_MODEL('x')", 1, 46, "dtmi:example:Pump;1"),
        ("SELECT * FROM DIGITALTWINS WHERE IS_OF_MODEL(T, 'dtmi:x;1')", 1, 46, "FROM DIGITALTWINS T"),
        ("SELECT * FROM DIGITALTWINS WHERE IS_OF_MODEL('dtmi:x;1', 'exact')", 1, 58, "exact"),
        ("SELECT * FROM RELATIONSHIPS R WHERE IS_OF_MODEL(R, 'dtmi:x;1')", 1, 37, "no model"),
        ("SELECT * FROM RELATIONSHIPS R WHERE ARRAY_CONTAINS(R.x, 1)", 1, 52, "relationships"),
        // JOIN
        ("SELECT * FROM DIGITALTWINS T JOIN S RELATED T.x WHERE T.$dtId = 'a'", 1, 8, "*"),
        ("SELECT TOP(3) FROM DIGITALTWINS T JOIN S RELATED T.x WHERE T.$dtId = 'a'", 1, 8, "*"),
        ("SELECT S FROM DIGITALTWINS T JOIN S RELATED T.x", 1, 48, "$dtId"),
        ("SELECT S FROM DIGITALTWINS T JOIN S RELATED T.x WHERE T.$dtId != 'a'", 1, 69, "$dtId"),
        ("SELECT S FROM DIGITALTWINS T JOIN S RELATED T.x WHERE T.$dtId = 'a' OR S.v = 1", 1, 79, "$dtId"),
        ("SELECT S FROM DIGITALTWINS JOIN S RELATED T.x WHERE S.$dtId = 'a'", 1, 43, "FROM DIGITALTWINS T"),
        ("SELECT S FROM DIGITALTWINS T JOIN T RELATED T.x WHERE T.$dtId = 'a'", 1, 35, "taken"),
        ("SELECT S FROM DIGITALTWINS T JOIN S RELATED U.x WHERE T.$dtId = 'a'", 1, 45, "'U'"),
        ("SELECT S FROM DIGITALTWINS T JOIN S RELATED T WHERE T.$dtId = 'a'", 1, 45, "relationship"),
        ("SELECT U FROM DIGITALTWINS T JOIN S RELATED T.x WHERE T.$dtId = 'a'", 1, 8, "T, S"),
        ("SELECT S FROM DIGITALTWINS T JOIN S RELATED T.x WHERE t.$dtId = 'a'", 1, 55, "write 'T'"),
        ("SELECT S FROM DIGITALTWINS T JOIN S RELATED T.x WHERE T.$dtId = 'a' AND v = 1", 1, 73, "in front"),
        (
            "SELECT S FROM DIGITALTWINS T JOIN S RELATED T.x WHERE T.$dtId = 'a' AND IS_OF_MODEL('dtmi:x;1')",
            1,
            85,
            "which collection",
        ),
        (
            "SELECT S FROM DIGITALTWINS T JOIN S RELATED T.x R JOIN U RELATED R.y WHERE T.$dtId = 'a'",
            1,
            66,
            "twins",
        ),
        ("SELECT S FROM RELATIONSHIPS T JOIN S RELATED T.x WHERE T.$dtId = 'a'", 1, 31, "DIGITALTWINS"),
        (
            "SELECT S FROM DIGITALTWINS T JOIN S RELATED T.x MATCH (T)-[]->(U) WHERE T.$dtId = 'a'",
            1,
            49,
            "MATCH",
        ),
        // MATCH
        ("SELECT a FROM DIGITALTWINS MATCH (a)-[]->(b)", 1, 45, "$dtId"),
        ("SELECT a FROM DIGITALTWINS MATCH (a)", 1, 37, "$dtId"),
        ("SELECT a FROM DIGITALTWINS MATCH (a-[]->(b) WHERE a.$dtId = 'x'", 1, 36, "')'"),
        ("SELECT a FROM DIGITALTWINS MATCH (a)-->(b) WHERE a.$dtId = 'x'", 1, 38, "[]"),
        ("SELECT a FROM DIGITALTWINS MATCH (a)<-[]->(b) WHERE a.$dtId = 'x'", 1, 40, "one head"),
        ("SELECT a FROM DIGITALTWINS MATCH (a)-[x|y]->(b) WHERE a.$dtId = 'x'", 1, 40, "colon"),
        ("SELECT a FROM DIGITALTWINS MATCH (a)-[r*2]->(b) WHERE a.$dtId = 'x'", 1, 39, "one hop"),
        ("SELECT a FROM DIGITALTWINS MATCH (a)-[*]->(b) WHERE a.$dtId = 'x'", 1, 40, "number of hops"),
        ("SELECT a FROM DIGITALTWINS MATCH (a)-[*2..]->(b) WHERE a.$dtId = 'x'", 1, 43, "end"),
        ("SELECT a FROM DIGITALTWINS MATCH (a)-[*2..2]->(b) WHERE a.$dtId = 'x'", 1, 40, "empty"),
        ("SELECT a FROM DIGITALTWINS MATCH (a)-[*0]->(b) WHERE a.$dtId = 'x'", 1, 40, "empty"),
        ("SELECT a FROM DIGITALTWINS MATCH (a)-[*11]->(b) WHERE a.$dtId = 'x'", 1, 39, "more than 10"),
        (
            "SELECT a FROM DIGITALTWINS MATCH (a)-[*6]->(b)-[*5]-(c) WHERE a.$dtId = 'x'",
            1,
            49,
            "more than 10",
        ),
        ("SELECT a FROM DIGITALTWINS T MATCH (a)-[]->(b) WHERE a.$dtId = 'x'", 1, 36, "'T'"),
        ("SELECT a FROM DIGITALTWINS MATCH (a)-[]->(b) MATCH (b)-[]->(c) WHERE a.$dtId = 'x'", 1, 46, "one"),
        ("SELECT a FROM DIGITALTWINS MATCH (a)-[a]->(b) WHERE a.$dtId = 'x'", 1, 39, "taken"),
    ] {
        let error = error(text);
        if (error.line, error.position) != (line, position) || !error.message.contains(word) {
            wrong.push(format!("{text}: {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn limits_are_the_documented_ones_and_can_be_set() {
    let lists =
        |items: usize| format!("SELECT * FROM DIGITALTWINS WHERE a IN [{}]", vec!["1"; items].join(","));
    let chain =
        |operators: usize| format!("SELECT * FROM DIGITALTWINS WHERE a = 1{}", " OR a = 1".repeat(operators));
    let joins = |joins: usize| {
        let text: String =
            (0..joins).map(|number| format!(" JOIN T{} RELATED T{number}.x", number + 1)).collect();
        format!("SELECT T0 FROM DIGITALTWINS T0{text} WHERE T0.$dtId = 'a'")
    };
    let length = |characters: usize| format!("SELECT * FROM DIGITALTWINS{}", " ".repeat(characters - 26));
    let hops = |hops: usize| {
        format!(
            "SELECT a FROM DIGITALTWINS MATCH (a){}(b) WHERE a.$dtId = 'x'",
            "-[]->()".repeat(hops - 1) + "-[]->"
        )
    };
    let wide = QueryLimits {
        characters: 20_000,
        logical_operators: 51,
        list_items: 51,
        joins: 6,
        ..QueryLimits::default()
    };
    for (good, bad) in
        [(lists(50), lists(51)), (chain(50), chain(51)), (joins(5), joins(6)), (length(8000), length(8001))]
    {
        assert!(parse(&good, &QueryLimits::default()).is_ok(), "{good}");
        assert!(error(&bad).message.contains("most") || error(&bad).message.contains("more than"), "{bad}");
        assert!(parse(&bad, &wide).is_ok(), "{bad}");
    }
    assert!(parse(&hops(10), &QueryLimits::default()).is_ok());
    assert!(error(&hops(11)).message.contains("more than 10 hops"));
    // Ten hops are the most, whatever is configured.
    assert!(parse(&hops(11), &QueryLimits { hops: 99, ..QueryLimits::default() }).is_err());
}
