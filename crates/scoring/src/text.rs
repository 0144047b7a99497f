//! Texts that come from a scorer: bounded, and safe to print.

/// Characters of a guest's message that are kept.
const LONGEST: usize = 512;

/// Shortens a text and escapes control characters, so that it can neither flood a log nor forge its lines.
pub(crate) fn tame(text: &str) -> String {
    let mut tamed = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == LONGEST {
            tamed.push('…');
            break;
        }
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}') {
            tamed.extend(character.escape_default());
        } else {
            tamed.push(character);
        }
    }
    tamed
}

/// An engine's error with its causes, tamed; the backtrace of the guest is left out.
pub(crate) fn cause(error: &wasmtime::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in error.chain() {
        let line = part.to_string();
        let line = line.lines().next().unwrap_or_default().trim().to_owned();
        if !line.starts_with("error while executing at wasm backtrace") && !parts.contains(&line) {
            parts.push(line);
        }
    }
    tame(&parts.join(": "))
}

/// Bytes as lower case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_length_is_bounded() {
        assert_eq!(tame("a\n\u{1b}[31mb\u{202e}"), "a\\n\\u{1b}[31mb\\u{202e}");
        assert_eq!(tame(&"x".repeat(5_000)).chars().count(), LONGEST + 1);
    }
}
