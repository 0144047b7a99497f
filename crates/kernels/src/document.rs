//! From JSON to a baseline: which fields must be there, and what a missing one means.

use std::collections::BTreeMap;

use crate::baseline::{
    Baseline, BaselineError, Component, FORMAT, Mixture, PrincipalChart, RangeChart, Regime, TrainingWindow,
    wrong,
};
use crate::json::{Value, parse};

pub(crate) type Read<T> = Result<T, BaselineError>;

/// An object, with where it stands in the document for its errors.
pub(crate) struct Object<'a> {
    members: &'a [(String, Value)],
    path: &'a str,
}

/// Reads a document; sizes and ranges are checked afterwards.
pub(crate) fn read(json: &[u8]) -> Read<Baseline> {
    let value = parse(json).map_err(|error| BaselineError::Json(error.to_string()))?;
    let root = Object::of(&value, "")?;
    let format = root.whole("format")?;
    if format != u64::from(FORMAT) {
        return Err(BaselineError::Format(u32::try_from(format).unwrap_or(u32::MAX)));
    }
    let window = Object::of(root.need("window")?, "window.")?;
    let regimes = root.list("regimes")?.iter().enumerate().map(|(at, value)| regime(value, at));
    Ok(Baseline {
        format: FORMAT,
        id: root.text("id")?,
        equipment: root.text("equipment")?,
        created: root.text("created")?,
        window: TrainingWindow {
            from: window.text("from")?,
            to: window.text("to")?,
            rows: window.whole("rows")?,
        },
        data_hash: root.text("data_hash")?,
        signals: root.texts("signals")?,
        scorers: root.texts("scorers")?,
        settings: root.or("settings", Object::texts)?.unwrap_or_default(),
        regimes: regimes.collect::<Read<_>>()?,
        window_rows: root.or("window_rows", Object::whole)?.map_or(30, |rows| rows.min(1 << 20) as usize),
        ewma_alpha: root.or("ewma_alpha", Object::number)?.unwrap_or(0.1),
        gap_reset_seconds: root.or("gap_reset_seconds", Object::number)?.unwrap_or(600.0),
        slow_alpha: root.or("slow_alpha", Object::numbers)?.unwrap_or_default(),
        range: root.find("range").map(range).transpose()?,
        principal: root.find("principal").map(principal).transpose()?,
        mixture: root.find("mixture").map(mixture).transpose()?,
        limits: root.figures("limits")?,
        metrics: root.or("metrics", Object::figures)?.unwrap_or_default(),
        note: root.or("note", Object::text)?.unwrap_or_default(),
    })
}

fn rows(object: &Object<'_>, name: &str) -> Read<usize> {
    Ok(object.whole(name)?.min(1 << 30) as usize)
}

fn range(value: &Value) -> Read<RangeChart> {
    let range = Object::of(value, "range.")?;
    Ok(RangeChart {
        mean_rows: rows(&range, "mean_rows")?,
        spread_rows: rows(&range, "spread_rows")?,
        memory_rows: rows(&range, "memory_rows")?,
        record_rows: rows(&range, "record_rows")?,
    })
}

fn principal(value: &Value) -> Read<PrincipalChart> {
    let principal = Object::of(value, "principal.")?;
    Ok(PrincipalChart { alpha: principal.number("alpha")?, retained: rows(&principal, "retained")? })
}

fn mixture(value: &Value) -> Read<Mixture> {
    let mixture = Object::of(value, "mixture.")?;
    let components = mixture.list("components")?.iter().enumerate().map(|(at, value)| {
        let path = format!("mixture.components[{at}].");
        let component = Object::of(value, &path)?;
        Ok(Component {
            weight: component.number("weight")?,
            mean: component.numbers("mean")?,
            precision: component.numbers("precision")?,
        })
    });
    Ok(Mixture {
        alpha: mixture.number("alpha")?,
        mean: mixture.numbers("mean")?,
        deviation: mixture.numbers("deviation")?,
        components: components.collect::<Read<_>>()?,
    })
}

fn regime(value: &Value, at: usize) -> Read<Regime> {
    let path = format!("regimes[{at}].");
    let regime = Object::of(value, &path)?;
    Ok(Regime {
        centre: regime.or("centre", Object::numbers)?.unwrap_or_default(),
        scale: regime.or("scale", Object::numbers)?.unwrap_or_default(),
        weight: regime.number("weight")?,
        mean: regime.numbers("mean")?,
        deviation: regime.numbers("deviation")?,
        precision: regime.numbers("precision")?,
        ewma_deviation: regime.numbers("ewma_deviation")?,
        components: regime.or("components", Object::numbers)?.unwrap_or_default(),
    })
}

impl<'a> Object<'a> {
    pub(crate) fn of(value: &'a Value, path: &'a str) -> Read<Self> {
        match value {
            Value::Object(members) => Ok(Self { members, path }),
            _ => Err(wrong(if path.is_empty() { "document" } else { path }, "must be an object".to_owned())),
        }
    }

    pub(crate) fn find(&self, name: &str) -> Option<&'a Value> {
        self.members.iter().find(|(member, _)| member == name).map(|(_, value)| value)
    }

    pub(crate) fn fail<T>(&self, name: &str, problem: &str) -> Read<T> {
        Err(wrong(&[self.path, name].concat(), problem.to_owned()))
    }

    pub(crate) fn need(&self, name: &str) -> Read<&'a Value> {
        self.find(name).map_or_else(|| self.fail(name, "is missing"), Ok)
    }

    /// A field that may be left out.
    pub(crate) fn or<T>(&self, name: &str, read: impl Fn(&Self, &str) -> Read<T>) -> Read<Option<T>> {
        self.find(name).map(|_| read(self, name)).transpose()
    }

    pub(crate) fn text(&self, name: &str) -> Read<String> {
        match self.need(name)? {
            Value::Text(text) => Ok(text.clone()),
            _ => self.fail(name, "must be a text"),
        }
    }

    pub(crate) fn number(&self, name: &str) -> Read<f64> {
        match self.need(name)? {
            Value::Number(number) => Ok(*number),
            _ => self.fail(name, "must be a number"),
        }
    }

    pub(crate) fn whole(&self, name: &str) -> Read<u64> {
        let number = self.number(name)?;
        if (0.0..9e15).contains(&number) && number.fract() == 0.0 {
            Ok(number as u64)
        } else {
            self.fail(name, "must be a whole number")
        }
    }

    pub(crate) fn list(&self, name: &str) -> Read<&'a [Value]> {
        match self.need(name)? {
            Value::List(items) => Ok(items),
            _ => self.fail(name, "must be a list"),
        }
    }

    pub(crate) fn numbers(&self, name: &str) -> Read<Vec<f64>> {
        let number = |item: &Value| match item {
            Value::Number(number) => Ok(*number),
            _ => self.fail(name, "must be a list of numbers"),
        };
        self.list(name)?.iter().map(number).collect()
    }

    pub(crate) fn texts(&self, name: &str) -> Read<Vec<String>> {
        let text = |item: &Value| match item {
            Value::Text(text) => Ok(text.clone()),
            _ => self.fail(name, "must be a list of texts"),
        };
        self.list(name)?.iter().map(text).collect()
    }

    pub(crate) fn figures(&self, name: &str) -> Read<BTreeMap<String, f64>> {
        let path = [self.path, name, "."].concat();
        let object = Object::of(self.need(name)?, &path)?;
        // One by one: collecting into a map brings a sort along, which is a lot of code for a handful of names.
        let mut figures = BTreeMap::new();
        for (member, _) in object.members {
            figures.insert(member.clone(), object.number(member)?);
        }
        Ok(figures)
    }
}
