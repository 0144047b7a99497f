//! Variables, checked and ready to be evaluated.

use std::collections::{BTreeMap, BTreeSet};

use twinwright_core::time::Micros;

use crate::request::{Interpolation, InterpolationKind, MOST_PROJECTED, VariableShape};
use crate::tsx::{Aggregation, Row, Scalar, Tsx};
use crate::{QueryError, Value, interval};

/// Labels of a variable.
const MOST_LABELS: usize = 100;
/// Values of a label.
const MOST_LABEL_VALUES: usize = 1_000;
/// How far neighbours are looked for at the most.
const LONGEST_BOUNDARY: Micros = 366 * 86_400_000_000;

/// A variable.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name.
    pub name: String,
    pub(crate) filter: Option<Scalar>,
    pub(crate) kind: Kind,
    /// How far outside the span neighbours are looked for.
    pub(crate) boundary: Micros,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Numeric { value: Scalar, aggregation: Option<Aggregation>, interpolation: Option<InterpolationKind> },
    Categorical { value: Scalar, labels: Labels, steps: bool },
    Aggregate(Aggregation),
}

#[derive(Clone, Debug)]
pub(crate) struct Labels {
    by_text: BTreeMap<String, usize>,
    by_number: BTreeMap<i64, usize>,
    /// The default one is the last.
    pub(crate) names: Vec<String>,
}

impl Labels {
    pub(crate) fn of(&self, value: &Value) -> usize {
        let found = match value {
            Value::String(text) => self.by_text.get(&**text),
            Value::Long(number) => self.by_number.get(number),
            Value::Bool(value) => self.by_text.get(if *value { "true" } else { "false" }),
            _ => None,
        };
        found.copied().unwrap_or(self.names.len() - 1)
    }
}

impl Variable {
    /// Checks a variable.
    ///
    /// # Errors
    /// What is wrong, with the variable's name.
    pub fn new(name: &str, shape: &VariableShape) -> Result<Self, QueryError> {
        let part = |part: &str| format!("variables.{name}.{part}");
        let scalar = |tsx: &Tsx, what: &str| Scalar::parse(&tsx.tsx).map_err(|error| error.of(&part(what)));
        let filter = |tsx: &Option<Tsx>| tsx.as_ref().map(|tsx| scalar(tsx, "filter")).transpose();
        let (filter, kind, interpolation) = match shape {
            VariableShape::Numeric { value, filter: f, interpolation, aggregation } => {
                let aggregation = aggregation.as_ref().map(|tsx| Aggregation::parse(&tsx.tsx)).transpose();
                let aggregation = aggregation.map_err(|error| error.of(&part("aggregation")))?;
                if let Some(aggregation) = &aggregation {
                    check_interpolation(aggregation, interpolation.as_ref(), &part("interpolation"))?;
                }
                let kind = Kind::Numeric {
                    value: scalar(value, "value")?,
                    aggregation,
                    interpolation: interpolation.as_ref().map(|interpolation| interpolation.kind),
                };
                (filter(f)?, kind, interpolation)
            }
            VariableShape::Categorical { value, filter: f, interpolation, categories, default_category } => {
                if interpolation.as_ref().is_some_and(|i| i.kind == InterpolationKind::Linear) {
                    let message =
                        format!("variable {name} is categorical, so its interpolation can be Step alone");
                    return Err(QueryError::invalid(&part("interpolation"), message));
                }
                let mut labels =
                    Labels { by_text: BTreeMap::new(), by_number: BTreeMap::new(), names: Vec::new() };
                if categories.len() > MOST_LABELS {
                    let message =
                        format!("variable {name} has more than {MOST_LABELS} categories: join some");
                    return Err(QueryError::limit(&part("categories"), message));
                }
                for (at, category) in categories.iter().enumerate() {
                    if category.values.len() > MOST_LABEL_VALUES {
                        let message =
                            format!("category {} has more than {MOST_LABEL_VALUES} values", category.label);
                        return Err(QueryError::limit(&part("categories"), message));
                    }
                    for value in &category.values {
                        match (value.as_str(), value.as_i64(), value.as_bool()) {
                            (Some(text), ..) => _ = labels.by_text.insert(text.to_owned(), at),
                            (_, Some(number), _) => _ = labels.by_number.insert(number, at),
                            (.., Some(value)) => _ = labels.by_text.insert(value.to_string(), at),
                            _ => {
                                let message = format!(
                                    "{value} is no text or whole number: categories have these alone"
                                );
                                return Err(QueryError::invalid(&part("categories"), message));
                            }
                        }
                    }
                    labels.names.push(category.label.clone());
                }
                labels.names.push(default_category.label.clone());
                let kind = Kind::Categorical {
                    value: scalar(value, "value")?,
                    labels,
                    steps: interpolation.is_some(),
                };
                (filter(f)?, kind, interpolation)
            }
            VariableShape::Aggregate { filter: f, aggregation } => {
                let aggregation =
                    Aggregation::parse(&aggregation.tsx).map_err(|error| error.of(&part("aggregation")))?;
                check_interpolation(&aggregation, None, &part("aggregation"))?;
                (filter(f)?, Kind::Aggregate(aggregation), &None)
            }
        };
        let boundary = boundary(interpolation.as_ref(), &part("interpolation"))?;
        Ok(Self { name: name.to_owned(), filter, kind, boundary })
    }

    /// How many columns an answer has of it.
    pub(crate) fn width(&self) -> usize {
        match &self.kind {
            Kind::Categorical { labels, .. } => labels.names.len(),
            _ => 1,
        }
    }

    /// Adds the names of the properties that it reads.
    pub(crate) fn properties(&self, names: &mut BTreeSet<String>) {
        self.filter.iter().for_each(|filter| filter.properties(names));
        match &self.kind {
            Kind::Numeric { value, aggregation, .. } => {
                value.properties(names);
                aggregation.iter().for_each(|aggregation| aggregation.properties(names));
            }
            Kind::Categorical { value, .. } => value.properties(names),
            Kind::Aggregate(aggregation) => aggregation.properties(names),
        }
    }

    /// Its value for an event: absent where the filter does not hold.
    pub(crate) fn value(&self, row: Row<'_>) -> Value {
        let value = match &self.kind {
            Kind::Numeric { value, .. } | Kind::Categorical { value, .. } => value.eval(&row),
            Kind::Aggregate(_) => Value::Null,
        };
        let row = Row { value: &value, ..row };
        if self.filter.as_ref().is_none_or(|filter| filter.holds(&row)) { value } else { Value::Null }
    }
}

fn check_interpolation(
    aggregation: &Aggregation,
    interpolation: Option<&Interpolation>,
    part: &str,
) -> Result<(), QueryError> {
    for (aggregate, _) in &aggregation.aggregates {
        match (aggregate.needs_interpolation(), interpolation.is_some()) {
            (true, false) => {
                let message = "twsum, twavg, left and right need an interpolation: give one of kind Step or Linear to a \
                               numeric variable";
                return Err(QueryError::invalid(part, message));
            }
            (false, true) => {
                let message = "with an interpolation only twsum, twavg, left and right are answered: leave it out for the \
                               other aggregates";
                return Err(QueryError::invalid(part, message));
            }
            _ => {}
        }
    }
    Ok(())
}

fn boundary(interpolation: Option<&Interpolation>, part: &str) -> Result<Micros, QueryError> {
    let Some(boundary) = interpolation.and_then(|interpolation| interpolation.boundary.as_ref()) else {
        return Ok(0);
    };
    let span = interval::parse(&boundary.span);
    span.filter(|span| *span <= LONGEST_BOUNDARY).ok_or_else(|| {
        QueryError::invalid(
            part,
            format!("boundary.span {:?} is no duration of at most a year", boundary.span),
        )
    })
}

/// The variables that a request projects: inline ones, and those of the type.
///
/// # Errors
/// One that is neither, more than 50, or none.
pub fn projected(
    projected: Option<&[String]>,
    inline: Option<&BTreeMap<String, VariableShape>>,
    of_type: &BTreeMap<String, VariableShape>,
) -> Result<Vec<Variable>, QueryError> {
    let names: Vec<&String> = match projected {
        Some(names) if !names.is_empty() => names.iter().collect(),
        _ => inline.map(|inline| inline.keys().collect()).unwrap_or_default(),
    };
    if names.is_empty() {
        return Err(QueryError::invalid(
            "projectedVariables",
            "name at least one variable in projectedVariables",
        ));
    }
    if names.len() > MOST_PROJECTED {
        let message =
            format!("{} variables are projected, at most {MOST_PROJECTED} are answered", names.len());
        return Err(QueryError::limit("projectedVariables", message));
    }
    let variable = |name: &String| {
        let shape = inline.and_then(|inline| inline.get(name)).or_else(|| of_type.get(name));
        let known = || of_type.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let shape = shape.ok_or_else(|| {
            let message = format!(
                "there is no variable {name}: define it inline, or use one of the type's: {}",
                known()
            );
            QueryError::invalid("projectedVariables", message)
        })?;
        Variable::new(name, shape)
    };
    names.into_iter().map(variable).collect()
}
