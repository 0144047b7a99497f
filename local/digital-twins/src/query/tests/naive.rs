//! Queries as data, and their answers by nested loops: no index, no plan, no rewriting of conditions.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::store::Graph;
use crate::twin::Document;

/// A condition as it is written.
#[derive(Debug, Clone)]
pub(super) enum Written {
    And(Box<Written>, Box<Written>),
    Or(Box<Written>, Box<Written>),
    Not(Box<Written>),
    /// `X.property operator number`
    Number(usize, &'static str, &'static str, i64),
    /// `X.property IN/NIN [texts]`
    List(usize, &'static str, bool, Vec<String>),
    Defined(usize, &'static str),
    Model(usize, &'static str, bool),
    Starts(usize, &'static str, String),
}

/// `-[:names*fewest..most]-` and its heads.
#[derive(Debug, Clone)]
pub(super) struct Arrow {
    pub(super) forward: bool,
    pub(super) backward: bool,
    pub(super) names: Vec<&'static str>,
    pub(super) hops: (usize, usize),
    /// The node it leads to, when that has occurred before.
    pub(super) back_to: Option<usize>,
}

#[derive(Debug, Clone)]
pub(super) enum From {
    Twins,
    Relationships,
    /// For each JOIN, the number of the collection that it begins at, and a name.
    Joins(Vec<(usize, &'static str)>),
    Match(Vec<Arrow>),
}

/// A query: the parts of a row are twins, then relationships of single hops, each in the order of the text.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    pub(super) from: From,
    pub(super) condition: Option<Written>,
}

type Row<'g> = Vec<&'g Document>;

impl Spec {
    /// Names of the parts of a row.
    pub(super) fn parts(&self) -> Vec<String> {
        let (twins, relationships) = match &self.from {
            From::Twins => (1, 0),
            From::Relationships => return vec!["r0".into()],
            From::Joins(joins) => (1 + joins.len(), joins.len()),
            From::Match(arrows) => (
                1 + arrows.iter().filter(|arrow| arrow.back_to.is_none()).count(),
                arrows.iter().filter(|arrow| arrow.hops == (1, 1)).count(),
            ),
        };
        let twins = (0..twins).map(|number| format!("t{number}"));
        twins.chain((0..relationships).map(|number| format!("r{number}"))).collect()
    }

    pub(super) fn text(&self) -> String {
        let parts = self.parts();
        let columns: Vec<String> = parts
            .iter()
            .map(|part| match part.starts_with('t') {
                true => format!("{part}.$dtId AS {part}"),
                false => format!("{part}.$sourceId AS {part}s, {part}.$relationshipId AS {part}i"),
            })
            .collect();
        let from = match &self.from {
            From::Twins => "DIGITALTWINS t0".to_owned(),
            From::Relationships => "RELATIONSHIPS r0".to_owned(),
            From::Joins(joins) => {
                let joins = joins.iter().enumerate();
                let text: String = joins
                    .map(|(number, (from, name))| {
                        format!(" JOIN t{} RELATED t{from}.{name} r{number}", number + 1)
                    })
                    .collect();
                format!("DIGITALTWINS t0{text}")
            }
            From::Match(arrows) => format!("DIGITALTWINS MATCH (t0){}", arrows_text(arrows)),
        };
        let condition = self.condition.as_ref().map(|condition| format!(" WHERE {}", condition.text(&parts)));
        format!("SELECT {} FROM {from}{}", columns.join(", "), condition.unwrap_or_default())
    }

    /// The rows, each as the texts of its columns, sorted.
    pub(super) fn answer(&self, graph: &Graph) -> Vec<Vec<String>> {
        let twins: Vec<&Document> = graph.twins.values().map(|twin| &**twin).collect();
        let relationships: Vec<&Document> = graph.relationships.values().map(|entry| &**entry).collect();
        let rows: Vec<Row> = match &self.from {
            From::Twins => twins.iter().map(|twin| vec![*twin]).collect(),
            From::Relationships => relationships.iter().map(|entry| vec![*entry]).collect(),
            From::Joins(joins) => joined(joins, &twins, &relationships),
            From::Match(arrows) => {
                let mut rows = BTreeSet::new();
                for start in &twins {
                    follow(
                        arrows,
                        text(start, "$dtId"),
                        &mut vec![text(start, "$dtId")],
                        &mut Vec::new(),
                        &mut Vec::new(),
                        0,
                        &relationships,
                        &mut rows,
                    );
                }
                let rows = rows.into_iter().map(|(nodes, edges)| {
                    let nodes = nodes.into_iter().map(|id| &*graph.twins[id]);
                    nodes.chain(edges.into_iter().map(|edge| relationships[edge])).collect()
                });
                rows.collect()
            }
        };
        let met = rows
            .into_iter()
            .filter(|row| self.condition.as_ref().is_none_or(|condition| condition.met(row, graph)));
        let parts = self.parts();
        let mut answer: Vec<Vec<String>> = met
            .map(|row| {
                let columns =
                    parts.iter().zip(row).flat_map(|(part, document)| match part.starts_with('t') {
                        true => vec![text(document, "$dtId")],
                        false => vec![text(document, "$sourceId"), text(document, "$relationshipId")],
                    });
                columns.map(str::to_owned).collect()
            })
            .collect();
        answer.sort_unstable();
        answer
    }
}

fn arrows_text(arrows: &[Arrow]) -> String {
    let (mut twins, mut relationships, mut text) = (1, 0, String::new());
    for arrow in arrows {
        let mut inner = String::new();
        if arrow.hops == (1, 1) {
            inner = format!("r{relationships}");
            relationships += 1;
        }
        if !arrow.names.is_empty() {
            inner += &format!(":{}", arrow.names.join("|"));
        }
        match arrow.hops {
            (1, 1) => {}
            (fewest, most) if fewest == most => inner += &format!("*{most}"),
            (1, most) => inner += &format!("*..{most}"),
            (fewest, most) => inner += &format!("*{}..{most}", fewest - 1),
        }
        let node = arrow.back_to.unwrap_or(twins);
        twins += usize::from(arrow.back_to.is_none());
        let (left, right) = (
            if arrow.backward && !arrow.forward { "<" } else { "" },
            if arrow.forward && !arrow.backward { ">" } else { "" },
        );
        text += &format!("{left}-[{inner}]-{right}(t{node})");
    }
    text
}

fn text<'a>(document: &'a Document, name: &str) -> &'a str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn joined<'g>(
    joins: &[(usize, &str)],
    twins: &[&'g Document],
    relationships: &[&'g Document],
) -> Vec<Row<'g>> {
    let mut rows: Vec<(Row, Row)> = twins.iter().map(|twin| (vec![*twin], Vec::new())).collect();
    for (from, name) in joins {
        let mut longer = Vec::new();
        for (nodes, edges) in &rows {
            for edge in relationships {
                for twin in twins {
                    let fits = text(edge, "$sourceId") == text(nodes[*from], "$dtId")
                        && text(edge, "$relationshipName") == *name
                        && text(edge, "$targetId") == text(twin, "$dtId");
                    if fits {
                        longer.push((
                            [nodes.as_slice(), &[*twin]].concat(),
                            [edges.as_slice(), &[*edge]].concat(),
                        ));
                    }
                }
            }
        }
        rows = longer;
    }
    rows.into_iter().map(|(nodes, edges)| [nodes, edges].concat()).collect()
}

/// Tries every path on which no relationship occurs twice.
#[allow(clippy::too_many_arguments)]
fn follow<'g>(
    arrows: &[Arrow],
    at: &'g str,
    nodes: &mut Vec<&'g str>,
    edges: &mut Vec<usize>,
    used: &mut Vec<usize>,
    hop: usize,
    relationships: &[&'g Document],
    rows: &mut BTreeSet<(Vec<&'g str>, Vec<usize>)>,
) {
    let Some((arrow, rest)) = arrows.split_first() else {
        rows.insert((nodes.clone(), edges.clone()));
        return;
    };
    if hop >= arrow.hops.0 {
        match arrow.back_to {
            Some(number) if nodes[number] != at => {}
            Some(_) => follow(rest, at, nodes, edges, used, 0, relationships, rows),
            None => {
                nodes.push(at);
                follow(rest, at, nodes, edges, used, 0, relationships, rows);
                nodes.pop();
            }
        }
    }
    if hop == arrow.hops.1 {
        return;
    }
    for (number, edge) in relationships.iter().enumerate() {
        let name = text(edge, "$relationshipName");
        if used.contains(&number) || !(arrow.names.is_empty() || arrow.names.contains(&name)) {
            continue;
        }
        let (source, target) = (text(edge, "$sourceId"), text(edge, "$targetId"));
        let ways = [
            (arrow.forward, source, target),
            (!(arrow.forward && source == target) && arrow.backward, target, source),
        ];
        for (_, _, next) in ways.into_iter().filter(|(open, from, _)| *open && *from == at) {
            used.push(number);
            if arrow.hops == (1, 1) {
                edges.push(number);
            }
            follow(arrows, next, nodes, edges, used, hop + 1, relationships, rows);
            if arrow.hops == (1, 1) {
                edges.pop();
            }
            used.pop();
        }
    }
}

impl Written {
    fn text(&self, parts: &[String]) -> String {
        match self {
            Self::And(left, right) => format!("({} AND {})", left.text(parts), right.text(parts)),
            Self::Or(left, right) => format!("({} OR {})", left.text(parts), right.text(parts)),
            Self::Not(inner) => format!("NOT {}", inner.text(parts)),
            Self::Number(part, name, operator, number) => {
                format!("{}.{name} {operator} {number}", parts[*part])
            }
            Self::List(part, name, is_in, list) => {
                let list: Vec<String> = list.iter().map(|text| format!("'{text}'")).collect();
                format!("{}.{name} {} [{}]", parts[*part], if *is_in { "IN" } else { "NIN" }, list.join(", "))
            }
            Self::Defined(part, name) => format!("IS_DEFINED({}.{name})", parts[*part]),
            Self::Model(part, model, exact) => {
                format!("IS_OF_MODEL({}, '{model}'{})", parts[*part], if *exact { ", exact" } else { "" })
            }
            Self::Starts(part, name, start) => format!("STARTSWITH({}.{name}, '{start}')", parts[*part]),
        }
    }

    fn met(&self, row: &[&Document], graph: &Graph) -> bool {
        match self {
            Self::And(left, right) => left.met(row, graph) && right.met(row, graph),
            Self::Or(left, right) => left.met(row, graph) || right.met(row, graph),
            Self::Not(inner) => !inner.met(row, graph),
            Self::Number(part, name, operator, number) => match row[*part].get(*name) {
                None => false,
                Some(value) => match (value.as_i64(), *operator) {
                    (Some(value), "=") => value == *number,
                    (Some(value), "!=") => value != *number,
                    (Some(value), "<") => value < *number,
                    (Some(value), "<=") => value <= *number,
                    (Some(value), ">") => value > *number,
                    (Some(value), _) => value >= *number,
                    (None, operator) => operator == "!=",
                },
            },
            Self::List(part, name, is_in, list) => {
                row[*part].get(*name).is_some_and(|value| list.iter().any(|text| value == text) == *is_in)
            }
            Self::Defined(part, name) => row[*part].contains_key(*name),
            Self::Model(part, model, exact) => {
                let own = row[*part].get("$metadata").and_then(|metadata| metadata["$model"].as_str());
                let model = model.parse().unwrap();
                own.is_some_and(|own| graph.models.is_of_model(own, &model, *exact))
            }
            Self::Starts(part, name, start) => {
                row[*part].get(*name).and_then(Value::as_str).is_some_and(|value| value.starts_with(start))
            }
        }
    }
}
