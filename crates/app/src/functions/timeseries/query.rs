//! `query`: getEvents, getSeries, aggregateSeries.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use twinwright_core::time::Micros;
use twinwright_history::Rows;
use twinwright_history::compact::Summary;
use twinwright_history::reader::{History, RowQuery, SummaryQuery};
use twinwright_history::segment::Kind;
use twinwright_timeseries::aggregate::{Aggregation, SimpleVariable};
use twinwright_timeseries::page::{Page, Property};
use twinwright_timeseries::project::Projection;
use twinwright_timeseries::request::{AggregateSeries, QueryRequest};
use twinwright_timeseries::tsx::Aggregate;
use twinwright_timeseries::{Column, Events, QueryError, Value, ValueType};

use super::{Answer, ApiError, Parameters, body, continuation};
use crate::app::App;
use crate::clock::now;
use crate::history::StoreType;

/// How long a query may take, as the service had it.
const DEADLINE: Duration = Duration::from_secs(30);
/// Rows that are sorted in memory where they do not come in order.
const MOST_SORTED: usize = 1_000_000;

/// Answers a query.
pub(super) async fn query(
    State(app): State<Arc<App>>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
    text: String,
) -> Answer {
    let store = parameters.store()?;
    let request: QueryRequest = body(&text)?;
    let permit = app.history.permit(store).ok_or_else(ApiError::busy)?;
    let work = answer(&app, request, store, &text, continuation(&headers));
    let page = tokio::time::timeout(DEADLINE, work).await.map_err(|_| {
        let text = "the query takes longer than 30 s: ask for less time, a wider interval or fewer variables";
        ApiError::new(StatusCode::REQUEST_TIMEOUT, "QueryTimeout", text)
    })??;
    drop(permit);
    Ok(Json(page.json()))
}

async fn answer(
    app: &App,
    request: QueryRequest,
    store: StoreType,
    text: &str,
    token: Option<&str>,
) -> Result<Page, ApiError> {
    let now = now();
    let history = app.history.reader().await?;
    let earliest = app.history.earliest(store, now);
    match (request.get_events, request.get_series, request.aggregate_series) {
        (Some(events), None, None) => {
            let device = events.common.device()?.to_owned();
            let projection = Projection::events(events, text, token, now)?;
            project(history, &device, projection, earliest).await
        }
        (None, Some(series), None) => {
            let device = series.common.device()?.to_owned();
            let model = app.history.model(app.twins.as_deref(), now).await?;
            let none = Default::default();
            let of_type = model.type_of(&device).map_or(&none, |kind| &kind.variables);
            let projection = Projection::series(&series, of_type, text, token, now)?;
            project(history, &device, projection, earliest).await
        }
        (None, None, Some(series)) => {
            let device = series.common.device()?.to_owned();
            // Most requests bring their variables along: then the model is not asked for.
            let inline = series.inline_variables.as_ref();
            let names = series.projected_variables.iter().flatten();
            let is_inline = names.clone().all(|name| inline.is_some_and(|inline| inline.contains_key(name)));
            let of_type = if is_inline {
                Default::default()
            } else {
                let model = app.history.model(app.twins.as_deref(), now).await?;
                model.type_of(&device).map(|kind| kind.variables.clone()).unwrap_or_default()
            };
            aggregate(history, &device, &series, Aggregation::new(&series, &of_type, now)?, earliest).await
        }
        _ => Err(QueryError::Invalid {
            target: "body".to_owned(),
            message: "the body needs exactly one of getEvents, getSeries and aggregateSeries".to_owned(),
        }
        .into()),
    }
}

async fn project(
    history: &History,
    device: &str,
    mut projection: Projection,
    earliest: Micros,
) -> Result<Page, ApiError> {
    let (from, to) = projection.span();
    let rows = rows_of(device, (from.max(earliest), to), projection.properties());
    events(history, &rows, &mut |events| Ok(projection.take(events))).await?;
    Ok(projection.finish())
}

async fn aggregate(
    history: &History,
    device: &str,
    request: &AggregateSeries,
    mut aggregation: Aggregation,
    earliest: Micros,
) -> Result<Page, ApiError> {
    let width = request.width()?;
    let grid = *aggregation.grid();
    if let Some(variables) = aggregation.simple()
        && grid.start.rem_euclid(width) == 0
        && grid.from.max(earliest) < grid.to
    {
        return summarise(history, device, &variables, &aggregation, earliest).await;
    }
    let (from, to) = aggregation.span();
    let rows = rows_of(device, (from.max(earliest), to), Some(aggregation.properties()));
    events(history, &rows, &mut |events| aggregation.take(events).map(|()| ControlFlow::Continue(())))
        .await?;
    Ok(aggregation.finish())
}

fn rows_of(device: &str, (from, to): (Micros, Micros), columns: Option<BTreeSet<String>>) -> RowQuery {
    RowQuery { from, to, devices: Some(BTreeSet::from([device.to_owned()])), columns }
}

type Take<'a> = dyn FnMut(&Events) -> Result<ControlFlow<()>, QueryError> + Send + 'a;

/// Gives out events in the order of time. Rows come day by day; those whose clock was years away come with the day on
/// which they arrived, and then all are sorted first.
async fn events(history: &History, query: &RowQuery, take: &mut Take<'_>) -> Result<(), ApiError> {
    if query.from >= query.to {
        return Ok(());
    }
    let strays = history.has_strays(query.from, query.to).await?;
    if strays {
        let (rows, _) = history.read(query, MOST_SORTED).await?;
        let mut order: Vec<(Micros, usize, usize)> = Vec::new();
        for (part, rows) in rows.iter().enumerate() {
            order.extend(rows.times().iter().enumerate().map(|(row, time)| (*time, part, row)));
        }
        order.sort_unstable();
        let parts: Vec<Events> = rows.iter().map(converted).collect();
        for (time, part, row) in order {
            if take(&one(&parts[part], time, row))?.is_break() {
                break;
            }
        }
        return Ok(());
    }
    let mut failed = None;
    history
        .visit(query, |rows| match take(&converted(&rows)) {
            Ok(flow) => flow,
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        })
        .await?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

fn converted(rows: &Rows) -> Events {
    let columns = rows.columns().map(|(kind, name)| {
        let column = match kind {
            Kind::Signal => Column::Numbers(rows.signal(name).unwrap_or_default().to_vec()),
            Kind::State => {
                Column::Texts((0..rows.len()).map(|row| rows.state(name, row).map(Arc::from)).collect())
            }
        };
        (Arc::clone(name), column)
    });
    Events { times: rows.times().to_vec(), columns: columns.collect() }
}

fn one(events: &Events, time: Micros, row: usize) -> Events {
    let columns = events.columns.iter().map(|(name, column)| {
        let column = match column {
            Column::Numbers(values) => Column::Numbers(values.get(row).copied().into_iter().collect()),
            Column::Texts(texts) => Column::Texts(texts.get(row).cloned().into_iter().collect()),
        };
        (Arc::clone(name), column)
    });
    Events { times: vec![time], columns: columns.collect() }
}

/// The answer from summaries, which roll-ups give without reading events.
async fn summarise(
    history: &History,
    device: &str,
    variables: &[SimpleVariable],
    aggregation: &Aggregation,
    earliest: Micros,
) -> Result<Page, ApiError> {
    let grid = aggregation.grid();
    let query = SummaryQuery {
        devices: Some(BTreeSet::from([device.to_owned()])),
        signals: Some(variables.iter().map(|variable| variable.property.to_string()).collect()),
        from: grid.from.max(earliest),
        to: grid.to,
        interval: grid.width,
    };
    let found = history.summaries(&query).await?;
    let properties = variables.iter().map(|variable| {
        // Where nothing is, nothing is answered, as from events.
        let mut values = vec![Value::Null; grid.count];
        let of_signal = found.series.iter().filter(|((_, signal), _)| *signal == variable.property);
        for (start, summary) in of_signal.flat_map(|(_, buckets)| buckets) {
            let at = usize::try_from((start - grid.start) / grid.width).unwrap_or(usize::MAX);
            if let Some(slot) = values.get_mut(at) {
                *slot = value(summary, variable.aggregate);
            }
        }
        let kind = if variable.aggregate == Aggregate::Count { ValueType::Long } else { ValueType::Double };
        Property { name: variable.name.clone(), kind, values }
    });
    let properties = properties.collect();
    let timestamps = (0..grid.count).map(|at| grid.time(at)).collect();
    Ok(Page { timestamps, properties, progress: 100.0, continuation: None })
}

fn value(summary: &Summary, aggregate: Aggregate) -> Value {
    if summary.count == 0 {
        return Value::Null;
    }
    let number = match aggregate {
        Aggregate::Count => return Value::Long(i64::try_from(summary.count).unwrap_or(i64::MAX)),
        Aggregate::Sum => summary.sum,
        Aggregate::Min => summary.min,
        Aggregate::Max => summary.max,
        Aggregate::First => summary.first,
        Aggregate::Last => summary.last,
        _ => return summary.mean().map_or(Value::Null, Value::Double),
    };
    Value::Double(number)
}
