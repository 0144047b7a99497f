//! Patterns that texts of the language must match, each as a small function: no regular expressions, no backtracking.

use crate::dtmi::is_name;
use crate::time::is_duration;

/// A pattern with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// A programming name.
    Name,
    /// An MQTT topic of labels and tokens in braces.
    Topic,
    /// A label of an MQTT topic.
    Label,
}

impl Pattern {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "name" => Some(Self::Name),
            "topic" => Some(Self::Topic),
            "label" => Some(Self::Label),
            _ => None,
        }
    }

    pub(crate) fn matches(self, text: &str) -> bool {
        match self {
            Self::Name => is_name(text),
            Self::Label => is_label(text),
            Self::Topic => {
                let mut levels = text.split('/');
                // Topics that begin with a dollar belong to the broker.
                levels.next().is_some_and(|first| !first.starts_with('$') && is_level(first))
                    && levels.all(is_level)
            }
        }
    }

    /// What fits, for a message.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Name => "letters, digits and underscores, a letter first and no underscore last",
            Self::Topic => {
                "levels separated by slashes, each a label of printable ASCII or a token in braces"
            }
            Self::Label => "printable ASCII without space, quotes, #, +, /, { and }",
        }
    }
}

fn is_level(text: &str) -> bool {
    is_label(text) || is_token(text)
}

fn is_label(text: &str) -> bool {
    let fits = |byte: u8| matches!(byte, b'!' | b'$'..=b'*' | b',' | b'-' | b'.' | b'0'..=b'z' | b'|' | b'~');
    !text.is_empty() && text.bytes().all(fits)
}

fn is_token(text: &str) -> bool {
    let word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|inner| match inner.split_once(':') {
        Some((first, second)) => word(first) && word(second),
        None => word(inner),
    })
}

/// A language tag: `en`, `zh-Hans`, `es-419`, `sr-Latn-RS`.
pub(crate) fn is_language(text: &str) -> bool {
    let mut parts = text.split('-').peekable();
    let language = parts.next().unwrap_or_default();
    if !(2..=4).contains(&language.len()) || !language.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return false;
    }
    let script = |text: &&str| {
        let bytes = text.as_bytes();
        bytes.len() == 4 && bytes[0].is_ascii_uppercase() && bytes[1..].iter().all(u8::is_ascii_lowercase)
    };
    let region = |text: &&str| {
        let bytes = text.as_bytes();
        (bytes.len() == 2 && bytes.iter().all(u8::is_ascii_uppercase))
            || (bytes.len() == 3 && bytes.iter().all(u8::is_ascii_digit))
    };
    parts.next_if(script);
    parts.next_if(region);
    parts.next().is_none()
}

/// A duration without a sign.
pub(crate) fn is_plain_duration(text: &str) -> bool {
    text.starts_with('P') && is_duration(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_and_labels() {
        assert!(Pattern::Topic.matches("a/{ex:clientId}/{name}") && Pattern::Topic.matches("a/$b"));
        for bad in ["", "$a", "a//b", "a/", "/a", "a b", "a/{1}", "a/{a:b:c}", "a{b}", "a+", "#"] {
            assert!(!Pattern::Topic.matches(bad), "{bad}");
        }
        assert!(Pattern::Label.matches("group-1") && !Pattern::Label.matches("a/b/{c}"));
    }

    #[test]
    fn language_tags() {
        for good in ["en", "en-US", "zh-Hans", "es-419", "sr-Latn-RS", "abcd"] {
            assert!(is_language(good), "{good}");
        }
        for bad in ["", "e", "EN", "en-us", "en-USA", "en-Latn-US-x", "abcde", "en-", "en--US"] {
            assert!(!is_language(bad), "{bad}");
        }
    }
}
