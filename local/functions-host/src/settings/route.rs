//! Route templates of HTTP triggers: literals, `{name}`, `{name?}`, `{name:constraint}` and `{*rest}`.

use std::cmp::Ordering;

/// A parsed template, without the app's route prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    segments: Vec<Segment>,
}

/// The values a path gave to a route's parameters, percent-decoded, in the template's order.
pub type RouteParameters = Vec<(String, String)>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter { name: String, constraint: Option<Constraint>, optional: bool },
    CatchAll { name: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Constraint {
    Integer,
    Guid,
    Letters,
    Boolean,
    Number,
}

impl Constraint {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "int" | "long" => Ok(Self::Integer),
            "guid" => Ok(Self::Guid),
            "alpha" => Ok(Self::Letters),
            "bool" => Ok(Self::Boolean),
            "decimal" | "double" | "float" => Ok(Self::Number),
            other => Err(format!(
                "route constraint {other:?} is not supported; use int, long, guid, alpha, bool or double"
            )),
        }
    }

    fn accepts(self, value: &str) -> bool {
        match self {
            Self::Integer => value.parse::<i64>().is_ok(),
            Self::Guid => uuid::Uuid::parse_str(value).is_ok(),
            Self::Letters => value.chars().all(|c| c.is_ascii_alphabetic()),
            Self::Boolean => value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false"),
            Self::Number => value.parse::<f64>().is_ok(),
        }
    }
}

impl Route {
    /// Parses a template such as `twins/{id}/history` or `{*path}`.
    pub fn parse(template: &str) -> Result<Self, String> {
        let template = template.trim_matches('/');
        let parts: Vec<&str> = if template.is_empty() { Vec::new() } else { template.split('/').collect() };
        let last = parts.len().wrapping_sub(1);
        let mut segments = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            let segment = match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                None if part.contains(['{', '}']) => {
                    return Err(format!(
                        "route segment {part:?} mixes text and a parameter, which this host does not support"
                    ));
                }
                None => Segment::Literal((*part).to_owned()),
                Some(inner) => parameter(inner)?,
            };
            let ends =
                matches!(segment, Segment::CatchAll { .. } | Segment::Parameter { optional: true, .. });
            if ends && index != last {
                return Err(format!("route segment {part:?} must be the last one"));
            }
            segments.push(segment);
        }
        Ok(Self { segments })
    }

    /// The parameters when `path` (below the prefix, percent-encoded) fits.
    pub fn matches(&self, path: &str) -> Option<RouteParameters> {
        let path = path.trim_matches('/');
        let mut parts = if path.is_empty() { Vec::new() } else { path.split('/').collect::<Vec<_>>() };
        let mut values = Vec::new();
        for (index, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::CatchAll { name } => {
                    if parts.len() > index {
                        values.push((name.clone(), decode(&parts[index..].join("/"))));
                    }
                    parts.truncate(index);
                    return Some(values);
                }
                Segment::Literal(literal) => {
                    if !decode(parts.get(index)?).eq_ignore_ascii_case(literal) {
                        return None;
                    }
                }
                Segment::Parameter { name, constraint, optional } => match parts.get(index) {
                    None if *optional => return Some(values),
                    None => return None,
                    Some(part) => {
                        let value = decode(part);
                        if value.is_empty()
                            || constraint.is_some_and(|constraint| !constraint.accepts(&value))
                        {
                            return None;
                        }
                        values.push((name.clone(), value));
                    }
                },
            }
        }
        (parts.len() == self.segments.len()).then_some(values)
    }

    /// Order in which routes are tried: literals before constrained parameters before parameters before catch-alls.
    pub fn precedence(&self, other: &Self) -> Ordering {
        let rank = |route: &Self| -> Vec<u8> { route.segments.iter().map(Segment::rank).collect() };
        let (left, right) = (rank(self), rank(other));
        left.cmp(&right).then(right.len().cmp(&left.len()))
    }
}

impl Segment {
    fn rank(&self) -> u8 {
        match self {
            Self::Literal(_) => 1,
            Self::Parameter { constraint: Some(_), .. } => 2,
            Self::Parameter { .. } => 3,
            Self::CatchAll { .. } => 5,
        }
    }
}

fn parameter(inner: &str) -> Result<Segment, String> {
    if let Some(name) = inner.strip_prefix('*') {
        let name = name.trim_start_matches('*');
        return Ok(Segment::CatchAll { name: legal(name)? });
    }
    let (inner, optional) = inner.strip_suffix('?').map_or((inner, false), |inner| (inner, true));
    let (name, constraint) = match inner.split_once(':') {
        Some((name, constraint)) => (name, Some(Constraint::parse(constraint)?)),
        None => (inner, None),
    };
    Ok(Segment::Parameter { name: legal(name)?, constraint, optional })
}

fn legal(name: &str) -> Result<String, String> {
    let fine = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if fine {
        Ok(name.to_owned())
    } else {
        Err(format!("route parameter {name:?} needs a name of letters and digits"))
    }
}

/// Percent-decoding of a path; what is not valid stays as it is.
pub(crate) fn decode(text: &str) -> String {
    let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = text.as_bytes();
    let mut result = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let pair = match bytes.get(index..index + 3) {
            Some([b'%', high, low]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match pair {
            Some((high, low)) => {
                result.push(high << 4 | low);
                index += 3;
            }
            None => {
                result.push(bytes[index]);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&result).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(template: &str, path: &str) -> Option<Vec<String>> {
        let found = Route::parse(template).unwrap().matches(path)?;
        Some(found.into_iter().map(|(name, value)| format!("{name}={value}")).collect())
    }

    #[test]
    fn templates_match_paths() {
        assert_eq!(values("twins/{id}", "/Twins/arm%2F1"), Some(vec!["id=arm/1".to_owned()]));
        assert_eq!(values("twins/{id}", "twins"), None);
        assert_eq!(values("{*path}", "a/b/c"), Some(vec!["path=a/b/c".to_owned()]));
        assert_eq!(values("{*path}", ""), Some(vec![]));
        assert_eq!(values("n/{id:int}", "n/x"), None);
        assert_eq!(values("n/{id:int?}", "n"), Some(vec![]));
        assert_eq!(values("", ""), Some(vec![]));
        assert_eq!(values("", "x"), None);
    }

    #[test]
    fn exact_routes_come_first() {
        let mut routes: Vec<_> = ["{*path}", "twins/{id}", "twins/all", "twins/{id:int}", "twins"]
            .iter()
            .map(|t| Route::parse(t).unwrap())
            .collect();
        routes.sort_by(Route::precedence);
        let first = |path: &str| routes.iter().position(|route| route.matches(path).is_some());
        let order = [first("twins/all"), first("twins/7"), first("twins/x"), first("twins"), first("zzz")];
        assert_eq!(routes.iter().position(|route| *route == Route::parse("twins/all").unwrap()), order[0]);
        assert!(order[0] < order[1] && order[1] < order[2] && order[2] < order[4]);
        assert_eq!(routes[order[3].unwrap()], Route::parse("twins").unwrap());
    }

    #[test]
    fn wrong_templates_are_refused() {
        for template in ["{*a}/b", "{}", "a{b}", "{a:regex(x)}", "{a?}/b"] {
            assert!(Route::parse(template).is_err(), "{template}");
        }
    }
}
