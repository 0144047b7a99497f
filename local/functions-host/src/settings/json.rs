//! Reading JSON settings the way .NET configuration does: names without regard to case, `%NAME%` from app settings.

use serde_json::Value;

/// The member `name` of an object, whatever its case.
pub(crate) fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The value at a path of members.
pub(crate) fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| member(value, name)).filter(|value| !value.is_null())
}

/// A text at `path`; numbers and booleans count as text, as in .NET configuration.
pub(crate) fn text(value: &Value, path: &[&str]) -> Option<String> {
    match at(value, path)? {
        Value::String(text) => Some(text.clone()),
        other @ (Value::Number(_) | Value::Bool(_)) => Some(other.to_string()),
        _ => None,
    }
}

/// A truth value at `path`, also when written as text.
pub(crate) fn flag(value: &Value, path: &[&str]) -> Option<bool> {
    text(value, path).map(|text| text.eq_ignore_ascii_case("true"))
}

/// A whole number at `path`, also when written as text; an error names the path.
pub(crate) fn number(value: &Value, path: &[&str]) -> Result<Option<i64>, String> {
    match at(value, path) {
        None => Ok(None),
        Some(_) => match text(value, path).and_then(|text| text.parse().ok()) {
            Some(number) => Ok(Some(number)),
            None => Err(format!("{} must be a whole number", path.join("."))),
        },
    }
}

/// A time span at `path`, such as `00:00:30`.
pub(crate) fn span(value: &Value, path: &[&str]) -> Result<Option<std::time::Duration>, String> {
    match at(value, path) {
        None => Ok(None),
        Some(_) => match text(value, path).as_deref().and_then(super::parse_timespan) {
            Some(span) => Ok(Some(span)),
            None => Err(format!("{} must be a time span such as 00:00:30", path.join("."))),
        },
    }
}

/// Replaces every `%NAME%` by the setting of that name. A name that is not known becomes nothing, as the real host does it;
/// the second value lists those.
pub(crate) fn expand(text: &str, environment: &[(String, String)]) -> (String, Vec<String>) {
    let mut result = String::with_capacity(text.len());
    let mut unknown = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('%') {
        let after = &rest[start + 1..];
        let Some(end) = after.find('%') else { break };
        let name = &after[..end];
        if name.is_empty() || name.contains(char::is_whitespace) {
            result.push_str(&rest[..=start]);
            rest = after;
            continue;
        }
        result.push_str(&rest[..start]);
        let own = environment.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        match own.or_else(|| std::env::var(name).ok()) {
            Some(value) => result.push_str(&value),
            None => unknown.push(name.to_owned()),
        }
        rest = &after[end + 1..];
    }
    result.push_str(rest);
    (result, unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_expanded_from_settings_and_unknown_ones_vanish() {
        let settings = [("QUEUE".to_owned(), "alerts".to_owned())];
        assert_eq!(expand("%QUEUE%-x", &settings).0, "alerts-x");
        assert_eq!(
            expand("a%NO_SUCH_NAME_AT_ALL%b", &settings),
            ("ab".to_owned(), vec!["NO_SUCH_NAME_AT_ALL".to_owned()])
        );
        assert_eq!(expand("100% of 5 % x", &settings).0, "100% of 5 % x");
    }
}
