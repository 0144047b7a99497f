//! `aggregateSeries`: events go into buckets as they come, in the order of time, in chunks of any size. Memory is that of
//! the answer, but for `median`, which keeps the values of the open bucket.

mod running;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use twinwright_core::time::Micros;

use self::running::Running;
use crate::interval::Grid;
use crate::page::{Page, Property};
use crate::request::{AggregateSeries, VariableShape};
use crate::tsx::{Aggregate, Row, Scalar};
use crate::variable::{Kind, Variable, projected};
use crate::weighted::Curve;
use crate::{Events, QueryError, Value, ValueType};

/// Values of one answer: about 16 MB.
const MOST_VALUES: usize = 1_000_000;
/// What is known of a variable so far.
#[derive(Debug)]
enum State {
    /// Aggregates of the open bucket.
    Buckets(Vec<Running>),
    /// The curve over all buckets.
    Curve(Curve),
    /// Label of the last event, and the time of it.
    Labels(Option<(Micros, usize)>),
}

/// An `aggregateSeries` that is being answered.
#[derive(Debug)]
pub struct Aggregation {
    grid: Grid,
    now: Micros,
    filter: Option<Scalar>,
    variables: Vec<Variable>,
    states: Vec<State>,
    columns: Vec<Vec<Value>>,
    /// Start of each variable's columns.
    starts: Vec<usize>,
    open: Option<usize>,
}

/// What a summary of a bucket can answer: no expression, no filter, no interpolation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimpleVariable {
    /// Name of the variable.
    pub name: String,
    /// The property.
    pub property: Arc<str>,
    /// What of it.
    pub aggregate: Aggregate,
}

impl Aggregation {
    /// Checks a request, before any work.
    ///
    /// # Errors
    /// What is wrong with it, or too much.
    pub fn new(
        request: &AggregateSeries,
        of_type: &BTreeMap<String, VariableShape>,
        now: Micros,
    ) -> Result<Self, QueryError> {
        let (from, to) = request.common.search_span.times()?;
        let grid = Grid::new(from, to, request.width()?)?;
        let filter = request.common.filter.as_ref().map(|filter| Scalar::parse(&filter.tsx)).transpose();
        let filter = filter.map_err(|error| error.of("aggregateSeries.filter"))?;
        let variables =
            projected(request.projected_variables.as_deref(), request.inline_variables.as_ref(), of_type)?;
        let mut states = Vec::new();
        let (mut columns, mut starts) = (Vec::new(), Vec::new());
        let width: usize = variables.iter().map(Variable::width).sum();
        if width.saturating_mul(grid.count) > MOST_VALUES {
            let message = format!(
                "the answer has {width} columns of {} intervals, at most {MOST_VALUES} values are answered: ask for fewer \
                 variables or a wider interval",
                grid.count
            );
            return Err(QueryError::limit("aggregateSeries", message));
        }
        for variable in &variables {
            starts.push(columns.len());
            columns.resize_with(columns.len() + variable.width(), || vec![Value::Null; grid.count]);
            states.push(match &variable.kind {
                Kind::Numeric { aggregation: None, .. } => {
                    let message =
                        format!("variable {} has no aggregation: add one, as in avg($value)", variable.name);
                    return Err(QueryError::invalid("aggregateSeries", message));
                }
                Kind::Numeric { interpolation: Some(kind), .. } => State::Curve(Curve::new(*kind, &grid)),
                Kind::Numeric { aggregation: Some(aggregation), .. } | Kind::Aggregate(aggregation) => {
                    State::Buckets(vec![Running::default(); aggregation.aggregates.len()])
                }
                Kind::Categorical { .. } => {
                    columns[starts[starts.len() - 1]..]
                        .iter_mut()
                        .for_each(|column| column.fill(Value::Long(0)));
                    State::Labels(None)
                }
            });
        }
        Ok(Self { grid, now, filter, variables, states, columns, starts, open: None })
    }

    /// The buckets.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// From when until when events are wanted, neighbours of the span included.
    pub fn span(&self) -> (Micros, Micros) {
        let boundary = self.variables.iter().map(|variable| variable.boundary).max().unwrap_or(0);
        (self.grid.from.saturating_sub(boundary), self.grid.to.saturating_add(boundary))
    }

    /// Names of the properties that are read.
    pub fn properties(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        self.filter.iter().for_each(|filter| filter.properties(&mut names));
        self.variables.iter().for_each(|variable| variable.properties(&mut names));
        names
    }

    /// The variables, where count, sum, min, max, first and last of each bucket are enough for all of them.
    pub fn simple(&self) -> Option<Vec<SimpleVariable>> {
        let simple = |variable: &Variable| {
            let Kind::Numeric { value, aggregation: Some(aggregation), interpolation: None } = &variable.kind
            else {
                return None;
            };
            let (property, kind) = value.plain()?;
            let (aggregate, argument) = aggregation.plain()?;
            let of_value = argument.is_none_or(|argument| matches!(argument.0, crate::tsx::Node::Current));
            let known = matches!(
                aggregate,
                Aggregate::Count
                    | Aggregate::Sum
                    | Aggregate::Min
                    | Aggregate::Max
                    | Aggregate::Avg
                    | Aggregate::First
                    | Aggregate::Last
            );
            let whole = of_value && known && variable.filter.is_none() && kind != Some(ValueType::Long);
            let wanted = matches!(kind, None | Some(ValueType::Double));
            (whole && wanted).then(|| SimpleVariable {
                name: variable.name.clone(),
                property: Arc::clone(property),
                aggregate,
            })
        };
        if self.filter.is_some() {
            return None;
        }
        self.variables.iter().map(simple).collect()
    }

    /// Takes the next events, not earlier than those before.
    ///
    /// # Errors
    /// [`QueryError::Limit`] where a bucket is too large for `median`.
    pub fn take(&mut self, events: &Events) -> Result<(), QueryError> {
        for (at, &time) in events.times.iter().enumerate() {
            let row = Row { events, at, value: &Value::Null, now: self.now };
            if self.filter.as_ref().is_some_and(|filter| !filter.holds(&row)) {
                continue;
            }
            let bucket = self.grid.bucket(time);
            if let Some(bucket) = bucket
                && self.open != Some(bucket)
            {
                self.close();
                self.open = Some(bucket);
            }
            for number in 0..self.variables.len() {
                self.event(number, &row, time, bucket)?;
            }
        }
        Ok(())
    }

    fn event(
        &mut self,
        number: usize,
        row: &Row<'_>,
        time: Micros,
        bucket: Option<usize>,
    ) -> Result<(), QueryError> {
        let variable = &self.variables[number];
        let aggregation = match &variable.kind {
            Kind::Numeric { aggregation: Some(aggregation), .. } | Kind::Aggregate(aggregation) => {
                Some(aggregation)
            }
            _ => None,
        };
        let is_aggregate = matches!(variable.kind, Kind::Aggregate(_));
        let value = if is_aggregate { Value::Null } else { variable.value(*row) };
        match (&mut self.states[number], aggregation) {
            (State::Curve(curve), Some(aggregation)) => {
                // One curve for all: the argument of the first aggregate says what of.
                let argument = aggregation.aggregates.first().and_then(|(_, argument)| argument.as_ref());
                let row = Row { value: &value, ..*row };
                let found = if value.is_null() { None } else { argument.and_then(|a| a.eval(&row).number()) };
                if let Some(found) = found {
                    curve.point(&self.grid, time, found);
                }
            }
            (State::Labels(last), _) => {
                let Kind::Categorical { labels, steps, .. } = &variable.kind else { return Ok(()) };
                if value.is_null() {
                    return Ok(());
                }
                let label = labels.of(&value);
                let columns = &mut self.columns[self.starts[number]..];
                if let Some(before) = last.filter(|_| *steps) {
                    carry(&self.grid, columns, before, time);
                }
                if let Some(bucket) = bucket {
                    increment(&mut columns[label][bucket]);
                }
                *last = Some((time, label));
            }
            (State::Buckets(running), Some(aggregation)) if bucket.is_some() => {
                if is_aggregate {
                    if variable.filter.as_ref().is_some_and(|filter| !filter.holds(row)) {
                        return Ok(());
                    }
                } else if value.is_null() {
                    return Ok(());
                }
                let row = Row { value: &value, ..*row };
                for (slot, (aggregate, argument)) in running.iter_mut().zip(&aggregation.aggregates) {
                    match argument.as_ref().map(|argument| argument.eval(&row)) {
                        None => slot.add(*aggregate, Value::Null)?,
                        Some(Value::Null) => {}
                        Some(value) => slot.add(*aggregate, value)?,
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Finishes the open bucket.
    fn close(&mut self) {
        let Some(bucket) = self.open.take() else { return };
        for (number, state) in self.states.iter_mut().enumerate() {
            let State::Buckets(running) = state else { continue };
            let (Kind::Numeric { aggregation: Some(aggregation), .. } | Kind::Aggregate(aggregation)) =
                &self.variables[number].kind
            else {
                continue;
            };
            let slots: Vec<Value> = running
                .iter_mut()
                .zip(&aggregation.aggregates)
                .map(|(run, (kind, _))| run.finish(*kind))
                .collect();
            self.columns[self.starts[number]][bucket] = aggregation.finish(&slots);
        }
    }

    /// The answer.
    pub fn finish(mut self) -> Page {
        self.close();
        for (number, state) in self.states.iter_mut().enumerate() {
            match (state, &self.variables[number].kind) {
                (State::Curve(curve), Kind::Numeric { aggregation: Some(aggregation), .. }) => {
                    curve.end(&self.grid);
                    for bucket in 0..self.grid.count {
                        let of = |(kind, _): &(Aggregate, Option<Scalar>)| curve.value(bucket, *kind);
                        let slots: Vec<Value> = aggregation.aggregates.iter().map(of).collect();
                        self.columns[self.starts[number]][bucket] = aggregation.finish(&slots);
                    }
                }
                (State::Labels(Some(last)), Kind::Categorical { steps: true, .. }) => {
                    carry(&self.grid, &mut self.columns[self.starts[number]..], *last, self.grid.to);
                }
                _ => {}
            }
        }
        let mut columns = self.columns.into_iter();
        let mut properties = Vec::new();
        for variable in &self.variables {
            for (at, values) in columns.by_ref().take(variable.width()).enumerate() {
                let name = match &variable.kind {
                    Kind::Categorical { labels, .. } => format!("{}[{}]", variable.name, labels.names[at]),
                    _ => variable.name.clone(),
                };
                properties.push(property(name, values));
            }
        }
        let timestamps = (0..self.grid.count).map(|at| self.grid.time(at)).collect();
        Page { timestamps, properties, progress: 100.0, continuation: None }
    }
}

/// A column with the type of its values; Double where there is none.
pub(crate) fn property(name: String, mut values: Vec<Value>) -> Property {
    let mut kinds = values.iter().filter_map(Value::kind);
    let mut kind = kinds.next().unwrap_or(ValueType::Double);
    if kinds.any(|other| other != kind) {
        // Whole and other numbers are numbers; everything else that is mixed is text.
        let numeric = values.iter().all(|value| value.is_null() || value.number().is_some());
        kind = if numeric { ValueType::Double } else { ValueType::String };
        values.iter_mut().for_each(|value| *value = value.cast(kind));
    }
    Property { name, kind, values }
}

fn increment(value: &mut Value) {
    if let Value::Long(count) = value {
        *count += 1;
    }
}

/// Counts the label that still holds once at the start of each bucket in between.
fn carry(grid: &Grid, columns: &mut [Vec<Value>], (since, label): (Micros, usize), until: Micros) {
    let first = grid.bucket(since.max(grid.from)).unwrap_or(grid.count);
    for (bucket, count) in columns[label].iter_mut().enumerate().skip(first) {
        let start = grid.time(bucket).max(grid.from);
        if start >= until {
            break;
        }
        if start > since {
            increment(count);
        }
    }
}

#[cfg(test)]
mod tests;
