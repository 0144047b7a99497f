//! The kinds of queries that the language's reference shows, in words of our own: all of them must be taken.
//!
//! The reference has typing errors in its examples. Those are here too, as they must be refused with a hint.

use crate::query::{QueryLimits, parse};

const TAKEN: [&str; 62] = [
    "SELECT * FROM DIGITALTWINS",
    "select * from digitaltwins",
    "SELECT * FROM DIGITALTWINS P",
    "SELECT P FROM DIGITALTWINS P",
    "SELECT * FROM RELATIONSHIPS",
    "SELECT * FROM RELATIONSHIPS R",
    "SELECT * FROM RELATIONSHIPS WHERE $sourceId IN  ['p1', 'p2', 'p3']",
    "SELECT * FROM DIGITALTWINS WHERE owner = 'O\\'Neill'",
    "SELECT  *\nFROM DIGITALTWINS P  \nWHERE P.firmware = '2.0'\nAND P.$dtId in ['1', '2']\nAND P.Pressure = 3",
    "SELECT * FROM DIGITALTWINS WHERE IS_DEFINED(Hall)",
    "SELECT * FROM DIGITALTWINS WHERE IS_DEFINED(labels.spare)",
    "SELECT * FROM DIGITALTWINS P WHERE IS_NUMBER(P.Pressure)",
    "SELECT * FROM DIGITALTWINS P WHERE P.labels.colour = 'red'",
    "SELECT * FROM DIGITALTWINS WHERE IS_OF_MODEL('dtmi:plant:pump;1')",
    "SELECT * FROM DIGITALTWINS P WHERE IS_OF_MODEL(P, 'dtmi:plant:pump;1')",
    "SELECT * FROM DIGITALTWINS WHERE IS_OF_MODEL('dtmi:plant:pump;1', exact)",
    "SELECT * FROM DIGITALTWINS P WHERE IS_OF_MODEL(P, 'dtmi:plant:pump;1', exact)",
    "SELECT PUMP FROM DIGITALTWINS P WHERE IS_OF_MODEL(P, 'dtmi:plant:pump;1', exact)",
    "SELECT L, P\nFROM DIGITALTWINS L\nJOIN P RELATED L.contains\nWHERE L.$dtId = 'line'",
    "SELECT target FROM DIGITALTWINS source JOIN target RELATED source.feeds WHERE source.$dtId = 'a'",
    "SELECT source FROM DIGITALTWINS source JOIN target RELATED source.feeds WHERE target.$dtId = 'b'",
    "SELECT L, S, R FROM DIGITALTWINS L JOIN S RELATED L.servicedBy R WHERE L.$dtId = 'line' AND R.state = 'clean'",
    "SELECT Bolt FROM DIGITALTWINS Line JOIN Pump RELATED Line.contains JOIN Bolt RELATED Pump.contains WHERE \
     IS_OF_MODEL(Pump, 'dtmi:plant:com:pump;1') AND IS_OF_MODEL(Bolt, 'dtmi:plant:com:bolt ;1') AND Line.$dtId IN ['l1', 'l2']",
    "SELECT COUNT() FROM DIGITALTWINS",
    "SELECT COUNT()\nFROM DIGITALTWINS c\nWHERE IS_OF_MODEL('dtmi:plant:Pump;1') AND c.Pressure > 20",
    "SELECT COUNT() FROM RELATIONSHIPS",
    "SELECT COUNT() FROM DIGITALTWINS L JOIN P RELATED L.contains WHERE L.$dtId IN ['l1', 'l2']",
    "SELECT TOP (5) FROM DIGITALTWINS WHERE Pressure > 1",
    "SELECT TOP(5) FROM DIGITALTWINS",
    "SELECT TOP(5) P.name FROM DIGITALTWINS P",
    "SELECT Pump, Plant, Edge FROM DIGITALTWINS Plant JOIN Pump RELATED Plant.owns Edge WHERE Plant.$dtId = 'A'",
    "SELECT Pump.name, Edge.since, Edge.until, Plant.area FROM DIGITALTWINS Plant JOIN Pump RELATED Plant.owns Edge WHERE Plant.$dtId = 'A'",
    "SELECT Pump.name AS pumpName, Edge.since AS first, Edge.until AS second, Plant.area AS area FROM DIGITALTWINS Plant \
     JOIN Pump RELATED Plant.owns Edge WHERE Plant.$dtId = 'A'",
    "SELECT Pump.name AS pumpName, Plant FROM DIGITALTWINS Plant JOIN Pump RELATED Plant.owns Edge WHERE Plant.$dtId = 'A'",
    "SELECT Room FROM DIGITALTWINS Floor JOIN Room RELATED Floor.has WHERE Floor.$dtId IN ['f1','f2'] AND Room. Heat > 72",
    "SELECT name, age \nFROM DIGITALTWINS",
    "SELECT * FROM DIGITALTWINS WHERE NOT IS_DEFINED(labels.red) AND labels.size = 'small'",
    "SELECT P.name \nFROM DIGITALTWINS P \nWHERE ARRAY_CONTAINS (P.floors, 2) ",
    "SELECT * FROM DIGITALTWINS P WHERE CONTAINS(P.$dtId, '-line')",
    "SELECT * FROM DIGITALTWINS P WHERE ENDSWITH(P.$dtId, '-small')",
    "SELECT * FROM DIGITALTWINS P WHERE STARTSWITH(P.$dtId, 'hall1-')",
    "SELECT * FROM DIGITALTWINS P WHERE IS_BOOL( On ) AND On != false",
    "SELECT * FROM DIGITALTWINS WHERE IS_STRING( Status ) AND Status != 'Done'",
    "SELECT * FROM DIGITALTWINS P WHERE NOT IS_NULL(P.Heat)",
    "SELECT P.area FROM DIGITALTWINS P WHERE P.$dtId = 'A' AND IS_PRIMITIVE(P.area)",
    "SELECT * FROM DIGITALTWINS WHERE IS_OBJECT( Map ) AND NOT IS_DEFINED ( Map.Reading )",
    "SELECT * FROM DIGITALTWINS P WHERE NOT P.Heat <= 80",
    "SELECT * FROM DIGITALTWINS P WHERE P.owner NIN ['Ada', 'Grace']",
    "SELECT * FROM DIGITALTWINS WHERE [[Group]] = 'night shift'",
    "SELECT * FROM DIGITALTWINS P WHERE P.labels.[[2nd]] = 'x' AND P.$metadata.$model = 'dtmi:plant:pump;1'",
    "SELECT P, S FROM DIGITALTWINS \nMATCH (P)-[]->(S) \nWHERE P.$dtId = 'p1' AND S.heat > 50   ",
    "SELECT R, F FROM DIGITALTWINS MATCH (R)<-[]-(F) WHERE F.$dtId = 'A' AND R.heat > 50",
    "SELECT F, R FROM DIGITALTWINS MATCH (F)-[]-(R) WHERE F.$dtId ='A'  AND R.damp > 70",
    "SELECT P, S FROM DIGITALTWINS MATCH (P)-[:contains|feeds]-(S) WHERE P.$dtId = 'p1'",
    "SELECT F, R FROM DIGITALTWINS MATCH (F)-[*3]-(R) WHERE F.$dtId = 't'",
    "SELECT F, R FROM DIGITALTWINS MATCH (F)-[*1..3]-(R) WHERE F.$dtId = 't'",
    "SELECT F, R FROM DIGITALTWINS MATCH (F)-[*..2]-(R) WHERE F.$dtId = 't'",
    "SELECT F, C, Rel FROM DIGITALTWINS MATCH (F)-[Rel]-(C) WHERE F.$dtId = 't' AND Rel.name = 'child'",
    "SELECT F, R FROM DIGITALTWINS MATCH (F)-[:contains|feeds*3..5]->(R) WHERE F.$dtId = 't'",
    "SELECT F, R FROM DIGITALTWINS MATCH (F)-[r:contains|feeds]->(R) WHERE F.$dtId = 't' AND r.length = 10",
    "SELECT F, R, C FROM DIGITALTWINS MATCH (F)-[r:contains]->(C)<-[:has|feeds*..3]-(R) WHERE F.$dtId = 't' AND r.length = 10 AND C.heat = 55",
    "SELECT a FROM DIGITALTWINS MATCH (a) WHERE a.$dtId = 'x'",
];

const REFUSED: [(&str, &str); 9] = [
    // A word of the name of the table is misspelled.
    ("SELECT * FROM DIGITIALTWINS WHERE IS_STRING( Status )", "DIGITALTWINS"),
    // FROM is missing.
    ("SELECT F,C, Rel DIGITALTWINS MATCH (F)-[Rel]-(C) WHERE F.$dtId = 't'", "FROM"),
    // A parenthesis is missing.
    ("SELECT B, S FROM DIGITALTWINS MATCH (B-[]-(S) WHERE B.$dtId = 's'", "')'"),
    ("SELECT * FROM DIGITALTWINS MATCH A-[contains]->B WHERE B.$dtId = 's'", "'('"),
    // A colon is missing.
    ("SELECT F, R FROM DIGITALTWINS MATCH (F)<-[has|includes*..3]-(R) WHERE F.$dtId = 't'", "colon"),
    // The collection has another case.
    ("SELECT B, S FROM DIGITALTWINS MATCH (B)-[:contains]-(S) WHERE b.$dtId = 's'", "write 'B'"),
    // The relationship has no name in the query.
    ("SELECT d FROM DIGITALTWINS s JOIN d RELATED s.has WHERE s.$dtId = 'R' AND has.role = 'x'", "'has'"),
    // Placeholders.
    ("SELECT * FROM DIGITALTWINS T WHERE ...", "expected"),
    ("SELECT F FROM DIGITALTWINS B JOIN F RELATED B.has WHERE B.$dtId = @building", "parameters"),
];

#[test]
fn documented_queries_are_taken() {
    for text in TAKEN {
        if let Err(error) = parse(text, &QueryLimits::default()) {
            panic!("{text}: {error}");
        }
    }
}

#[test]
fn documented_slips_are_refused_with_a_hint() {
    for (text, hint) in REFUSED {
        let error = parse(text, &QueryLimits::default()).expect_err(text);
        assert!(error.message.contains(hint), "{text}: {error}");
    }
}
