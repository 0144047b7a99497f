//! `getEvents` and `getSeries`: events as columns, page by page.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use twinwright_core::time::Micros;

use crate::aggregate::property;
use crate::page::{Page, Property};
use crate::request::{
    DEFAULT_TAKE, EventProperty, GetEvents, GetSeries, MOST_PROJECTED, MOST_VALUES, VariableShape,
};
use crate::token::Position;
use crate::tsx::{Row, Scalar};
use crate::variable::{Kind, Variable, projected};
use crate::{Column, Events, QueryError, Value, ValueType};

/// Events of one page.
const PAGE: usize = 10_000;

/// What is taken of each event.
#[derive(Debug)]
enum Wanted {
    /// Everything.
    All,
    Properties(Vec<EventProperty>),
    Variables(Vec<Variable>),
}

/// A `getEvents` or `getSeries` that is being answered.
#[derive(Debug)]
pub struct Projection {
    from: Micros,
    to: Micros,
    now: Micros,
    filter: Option<Scalar>,
    wanted: Wanted,
    /// Events of all pages at the most.
    take: usize,
    /// Events of this page at the most.
    page: usize,
    request: String,
    begin: Position,
    position: Position,
    /// Events at the first time that the pages before had.
    skipped: usize,
    timestamps: Vec<Micros>,
    columns: BTreeMap<(usize, String, bool), Vec<Value>>,
    more: bool,
}

impl Projection {
    /// Checks `getEvents`, before any work. `body` is the request's text, `token` the header `x-ms-continuation`.
    ///
    /// # Errors
    /// What is wrong with it, or too much.
    pub fn events(
        request: GetEvents,
        body: &str,
        token: Option<&str>,
        now: Micros,
    ) -> Result<Self, QueryError> {
        let wanted = match request.projected_properties {
            Some(properties) if properties.len() > MOST_PROJECTED => {
                let message = format!(
                    "{} properties are projected, at most {MOST_PROJECTED} are answered",
                    properties.len()
                );
                return Err(QueryError::limit("getEvents.projectedProperties", message));
            }
            Some(properties) if !properties.is_empty() => Wanted::Properties(properties),
            _ => Wanted::All,
        };
        let times = request.common.search_span.times()?;
        let filter = request.common.filter.as_ref().map(|filter| filter.tsx.as_str());
        Self::new(times, filter, wanted, request.take, body, token, now)
    }

    /// Checks `getSeries`, before any work.
    ///
    /// # Errors
    /// What is wrong with it, or too much.
    pub fn series(
        request: &GetSeries,
        of_type: &BTreeMap<String, VariableShape>,
        body: &str,
        token: Option<&str>,
        now: Micros,
    ) -> Result<Self, QueryError> {
        let variables =
            projected(request.projected_variables.as_deref(), request.inline_variables.as_ref(), of_type)?;
        if let Some(variable) = variables.iter().find(|variable| matches!(variable.kind, Kind::Aggregate(_)))
        {
            let message =
                format!("variable {} is of kind aggregate: ask for it with aggregateSeries", variable.name);
            return Err(QueryError::invalid("getSeries", message));
        }
        let times = request.common.search_span.times()?;
        let filter = request.common.filter.as_ref().map(|filter| filter.tsx.as_str());
        Self::new(times, filter, Wanted::Variables(variables), request.take, body, token, now)
    }

    fn new(
        (from, to): (Micros, Micros),
        filter: Option<&str>,
        wanted: Wanted,
        take: Option<usize>,
        body: &str,
        token: Option<&str>,
        now: Micros,
    ) -> Result<Self, QueryError> {
        let filter = filter.map(Scalar::parse).transpose().map_err(|error| error.of("filter"))?;
        let columns = match &wanted {
            Wanted::All => 1,
            Wanted::Properties(properties) => properties.len(),
            Wanted::Variables(variables) => variables.len(),
        };
        let take = take.unwrap_or(DEFAULT_TAKE.min(MOST_VALUES / columns.max(1)));
        if take == 0 || take.saturating_mul(columns) > MOST_VALUES {
            let message = format!(
                "take is {take} for {columns} columns: at least 1 event and at most {MOST_VALUES} values"
            );
            return Err(QueryError::limit("take", message));
        }
        let begin = token.map(|token| Position::parse(token, body)).transpose()?.unwrap_or_default();
        let from = if token.is_some() { begin.time.max(from) } else { from };
        Ok(Self {
            from,
            to,
            now,
            filter,
            wanted,
            take,
            page: PAGE.min(take.saturating_sub(begin.total)).min((MOST_VALUES / columns).max(1)),
            request: body.to_owned(),
            begin,
            position: begin,
            skipped: 0,
            timestamps: Vec::new(),
            columns: BTreeMap::new(),
            more: false,
        })
    }

    /// From when until when events are wanted.
    pub fn span(&self) -> (Micros, Micros) {
        (self.from, self.to)
    }

    /// Names of the properties that are read; all, if none are named.
    pub fn properties(&self) -> Option<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        match &self.wanted {
            Wanted::All => return None,
            Wanted::Properties(properties) => {
                names.extend(properties.iter().map(|property| property_name(&property.name)));
            }
            Wanted::Variables(variables) => {
                variables.iter().for_each(|variable| variable.properties(&mut names))
            }
        }
        self.filter.iter().for_each(|filter| filter.properties(&mut names));
        Some(names)
    }

    /// Takes the next events; breaks when the page is full.
    pub fn take(&mut self, events: &Events) -> ControlFlow<()> {
        for (at, &time) in events.times.iter().enumerate() {
            if time < self.from || time >= self.to {
                continue;
            }
            let row = Row { events, at, value: &Value::Null, now: self.now };
            if self.filter.as_ref().is_some_and(|filter| !filter.holds(&row)) {
                continue;
            }
            if self.begin.given > self.skipped && time == self.begin.time {
                self.skipped += 1;
                continue;
            }
            if self.timestamps.len() >= self.page {
                self.more = self.position.total < self.take;
                return ControlFlow::Break(());
            }
            self.event(&row, time);
        }
        ControlFlow::Continue(())
    }

    fn event(&mut self, row: &Row<'_>, time: Micros) {
        let place = self.timestamps.len();
        let mut put = |key: (usize, String, bool), value: Value| {
            if value.is_null() && !self.columns.contains_key(&key) && key.2 {
                return;
            }
            let column = self.columns.entry(key).or_default();
            column.resize(place, Value::Null);
            column.push(value);
        };
        match &self.wanted {
            Wanted::All => {
                for (name, column) in &row.events.columns {
                    let kind = if matches!(column, Column::Numbers(_)) {
                        ValueType::Double
                    } else {
                        ValueType::String
                    };
                    put(
                        (usize::from(kind == ValueType::String), name.to_string(), true),
                        row.events.value(name, Some(kind), row.at),
                    );
                }
            }
            Wanted::Properties(properties) => {
                for (number, property) in properties.iter().enumerate() {
                    let name = property_name(&property.name);
                    let value = if name == "$ts" {
                        Value::DateTime(time)
                    } else {
                        row.events.value(&name, property.kind, row.at)
                    };
                    put((number, property.name.clone(), false), value);
                }
            }
            Wanted::Variables(variables) => {
                for (number, variable) in variables.iter().enumerate() {
                    let value = variable.value(*row);
                    let value = match &variable.kind {
                        Kind::Categorical { labels, .. } if !value.is_null() => {
                            Value::String(labels.names[labels.of(&value)].as_str().into())
                        }
                        _ => value,
                    };
                    put((number, variable.name.clone(), false), value);
                }
            }
        }
        let again =
            if self.position.time == time && self.position.total > 0 { self.position.given } else { 0 };
        self.position = Position { time, given: again + 1, total: self.position.total + 1 };
        self.timestamps.push(time);
    }

    /// The page.
    pub fn finish(self) -> Page {
        let rows = self.timestamps.len();
        let continuation = self.more.then(|| self.position.token(&self.request));
        let columns = self.columns.into_iter().map(|((_, name, _), mut values)| {
            values.resize(rows, Value::Null);
            property(name, values)
        });
        let mut properties: Vec<Property> = columns.collect();
        // A column that was asked for with a type has it, also where no event has a value.
        if let Wanted::Properties(wanted) = &self.wanted {
            for (property, wanted) in properties.iter_mut().zip(wanted) {
                property.kind = wanted.kind.unwrap_or(property.kind);
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        let progress =
            if self.more { (self.position.total as f64 / self.take as f64 * 100.0).min(99.0) } else { 100.0 };
        Page { timestamps: self.timestamps, properties, progress, continuation }
    }
}

/// A property's name without the escapes that a request may have: `['a.b']` is `a.b`.
fn property_name(name: &str) -> String {
    let inner = name.strip_prefix("['").and_then(|name| name.strip_suffix("']"));
    inner.map_or_else(|| name.to_owned(), |inner| inner.replace("\\'", "'").replace("\\\\", "\\"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use twinwright_core::time::SECOND;

    const START: Micros = 1_772_582_400 * SECOND;

    fn events(count: usize) -> Events {
        let number = |at: usize| i64::try_from(at).unwrap();
        Events {
            // Two events a second.
            times: (0..count).map(|at| START + number(at / 2) * SECOND).collect(),
            columns: vec![
                (
                    "n".into(),
                    Column::Numbers((0..count).map(|at| f64::from(u32::try_from(at).unwrap())).collect()),
                ),
                (
                    "on".into(),
                    Column::Texts((0..count).map(|at| (at % 2 == 0).then(|| "yes".into())).collect()),
                ),
            ],
        }
    }

    fn body(more: serde_json::Value) -> serde_json::Value {
        let mut body = json!({
            "timeSeriesId": ["arm-1"],
            "searchSpan": { "from": "2026-03-04T00:00:00Z", "to": "2026-03-05T00:00:00Z" },
        });
        let serde_json::Value::Object(more) = more else { unreachable!("an object") };
        body.as_object_mut().unwrap().extend(more);
        body
    }

    #[test]
    fn pages_join_to_the_whole_without_a_seam() {
        let all = events(25_001);
        let body = body(
            json!({ "take": 24_999, "projectedProperties": [{ "name": "n", "type": "Double" }, { "name": "on" }] }),
        );
        let request: GetEvents = serde_json::from_value(body.clone()).unwrap();
        let (mut token, mut found, mut pages) = (None, Vec::new(), 0);
        loop {
            let text = body.to_string();
            let mut projection = Projection::events(request.clone(), &text, token.as_deref(), 0).unwrap();
            assert_eq!(projection.properties().unwrap().len(), 2);
            let _full = projection.take(&all);
            let page = projection.finish();
            assert_eq!(page.properties[1].values.len(), page.timestamps.len());
            found.extend(page.properties[0].values.iter().filter_map(Value::number));
            pages += 1;
            token = page.continuation;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(pages, 3);
        assert_eq!(found, (0..24_999).map(f64::from).collect::<Vec<_>>());
        let other = Projection::events(request, "other", Some("bad token"), 0);
        assert!(other.unwrap_err().to_string().contains("continuation"));
    }

    #[test]
    fn series_have_values_and_labels() {
        let request: GetSeries = serde_json::from_value(body(json!({
            "inlineVariables": {
                "twice": { "kind": "numeric", "value": { "tsx": "$event.n.Double * 2" } },
                "label": { "kind": "categorical", "value": { "tsx": "$event.on.String" },
                    "categories": [{ "label": "On", "values": ["yes"] }], "defaultCategory": { "label": "Off" } },
            },
            "filter": { "tsx": "$event.n.Double >= 2" },
        })))
        .unwrap();
        let mut projection = Projection::series(&request, &BTreeMap::new(), "", None, 0).unwrap();
        assert!(projection.take(&events(4)).is_continue());
        let page = projection.finish();
        assert_eq!(page.timestamps.len(), 2);
        assert_eq!(page.properties[0].values, [Value::String("On".into()), Value::Null]);
        assert_eq!(page.properties[1].values, [Value::Double(4.0), Value::Double(6.0)]);
        let json = page.json();
        assert_eq!(json["properties"][1]["type"], "Double");
        assert_eq!(json["timestamps"][0], "2026-03-04T00:00:01.000000Z");
    }

    #[test]
    fn too_much_is_refused() {
        for more in [json!({ "take": 0 }), json!({ "take": 250_001 })] {
            let request: GetEvents = serde_json::from_value(body(more)).unwrap();
            assert!(matches!(Projection::events(request, "", None, 0), Err(QueryError::Limit { .. })));
        }
    }
}
