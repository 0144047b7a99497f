//! What a client asks: the bodies of `POST /timeseries/query` and `POST /eventSchema`.

use std::collections::BTreeMap;

use serde::Deserialize;
use twinwright_core::time::{Micros, parse_iso};

use crate::tsx::Tsx;
use crate::{QueryError, ValueType, interval};

/// Properties or variables of one query.
pub const MOST_PROJECTED: usize = 50;
/// Values of one answer of events.
pub const MOST_VALUES: usize = 250_000;
/// Events of one answer where the client does not say.
pub const DEFAULT_TAKE: usize = 10_000;

/// A span of time, as text.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchSpan {
    /// Inclusive.
    pub from: String,
    /// Exclusive.
    pub to: String,
}

impl SearchSpan {
    /// The times.
    ///
    /// # Errors
    /// One of them is none, or the end is before the start.
    pub fn times(&self) -> Result<(Micros, Micros), QueryError> {
        let read = |text: &str| {
            let message = || format!("{text:?} is no time: write it as in 2026-03-04T05:06:07Z");
            parse_iso(text).ok_or_else(|| QueryError::invalid("searchSpan", message()))
        };
        let (from, to) = (read(&self.from)?, read(&self.to)?);
        if to <= from {
            return Err(QueryError::invalid("searchSpan", "searchSpan.to must be after searchSpan.from"));
        }
        Ok((from, to))
    }
}

/// `{"searchSpan": …}`
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventSchemaRequest {
    /// When.
    pub search_span: SearchSpan,
}

/// The body of a query: exactly one of the three.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryRequest {
    /// Events as they came.
    pub get_events: Option<GetEvents>,
    /// Variables, event by event.
    pub get_series: Option<GetSeries>,
    /// Variables, bucket by bucket.
    pub aggregate_series: Option<AggregateSeries>,
}

/// What all queries say.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Common {
    /// The device id, as the one part of the id.
    pub time_series_id: Vec<Option<serde_json::Value>>,
    /// When.
    pub search_span: SearchSpan,
    /// Which events.
    pub filter: Option<Tsx>,
}

impl Common {
    /// The device.
    ///
    /// # Errors
    /// The id has not exactly one part, a text.
    pub fn device(&self) -> Result<&str, QueryError> {
        match self.time_series_id.as_slice() {
            [Some(serde_json::Value::String(id))] if !id.is_empty() => Ok(id),
            _ => Err(QueryError::invalid(
                "timeSeriesId",
                "timeSeriesId must have one part, the device id: [\"robotic-arm-001\"]",
            )),
        }
    }
}

/// A property of events.
#[derive(Clone, Debug, Deserialize)]
pub struct EventProperty {
    /// Its name.
    pub name: String,
    /// Its type; whatever it has, if none is said.
    #[serde(rename = "type")]
    pub kind: Option<ValueType>,
}

/// `getEvents`
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetEvents {
    /// What all queries say.
    #[serde(flatten)]
    pub common: Common,
    /// These properties; all, if none are named.
    #[serde(default)]
    pub projected_properties: Option<Vec<EventProperty>>,
    /// Events at the most.
    pub take: Option<usize>,
}

/// `getSeries`
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetSeries {
    /// What all queries say.
    #[serde(flatten)]
    pub common: Common,
    /// These variables; all inline ones, if none are named.
    #[serde(default)]
    pub projected_variables: Option<Vec<String>>,
    /// Variables beside those of the type; they come before those of the same name.
    #[serde(default)]
    pub inline_variables: Option<BTreeMap<String, VariableShape>>,
    /// Events at the most.
    pub take: Option<usize>,
}

/// `aggregateSeries`
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AggregateSeries {
    /// What all queries say.
    #[serde(flatten)]
    pub common: Common,
    /// Width of the buckets.
    pub interval: String,
    /// As in [`GetSeries`].
    #[serde(default)]
    pub projected_variables: Option<Vec<String>>,
    /// As in [`GetSeries`].
    #[serde(default)]
    pub inline_variables: Option<BTreeMap<String, VariableShape>>,
}

impl AggregateSeries {
    /// Width of the buckets.
    ///
    /// # Errors
    /// It is no duration.
    pub fn width(&self) -> Result<Micros, QueryError> {
        interval::parse(&self.interval).filter(|width| *width > 0).ok_or_else(|| {
            let message = format!("{:?} is no duration above zero: write it as in PT1M", self.interval);
            QueryError::invalid("aggregateSeries.interval", message)
        })
    }
}

/// A variable as a type or a request has it.
#[derive(Clone, Debug, serde::Serialize, Deserialize, PartialEq)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum VariableShape {
    /// A number an event.
    #[serde(alias = "Numeric")]
    Numeric {
        /// The number.
        value: Tsx,
        /// Which events.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filter: Option<Tsx>,
        /// What lies between events.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interpolation: Option<Interpolation>,
        /// What becomes of a bucket.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        aggregation: Option<Tsx>,
    },
    /// A label an event.
    #[serde(alias = "Categorical", rename_all = "camelCase")]
    Categorical {
        /// What the labels are for.
        value: Tsx,
        /// Which events.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filter: Option<Tsx>,
        /// What lies between events: steps.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interpolation: Option<Interpolation>,
        /// Labels.
        #[serde(default)]
        categories: Vec<Category>,
        /// The label of everything else.
        default_category: DefaultCategory,
    },
    /// A value a bucket.
    #[serde(alias = "Aggregate")]
    Aggregate {
        /// Which events.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filter: Option<Tsx>,
        /// What becomes of a bucket.
        aggregation: Tsx,
    },
}

/// What lies between events.
#[derive(Clone, Debug, serde::Serialize, Deserialize, PartialEq, Eq)]
pub struct Interpolation {
    /// Straight lines or steps.
    pub kind: InterpolationKind,
    /// How far outside the span neighbours are looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<Boundary>,
}

/// Straight lines or steps.
#[derive(Clone, Copy, Debug, serde::Serialize, Deserialize, PartialEq, Eq)]
pub enum InterpolationKind {
    /// Straight lines.
    #[serde(alias = "linear")]
    Linear,
    /// A value holds until the next one.
    #[serde(alias = "step")]
    Step,
}

/// How far outside the span neighbours are looked for.
#[derive(Clone, Debug, serde::Serialize, Deserialize, PartialEq, Eq)]
pub struct Boundary {
    /// A duration.
    pub span: String,
}

/// A label and what it stands for.
#[derive(Clone, Debug, serde::Serialize, Deserialize, PartialEq)]
pub struct Category {
    /// Label.
    pub label: String,
    /// Texts or whole numbers.
    pub values: Vec<serde_json::Value>,
}

/// The label of everything else.
#[derive(Clone, Debug, serde::Serialize, Deserialize, PartialEq, Eq)]
pub struct DefaultCategory {
    /// Label.
    pub label: String,
}
