//! The scanner by itself.

use super::Cursor;
use crate::error::Problem;

fn unescaped(text: &str) -> Result<String, Problem> {
    let mut cursor = Cursor::new(text.as_bytes());
    let token = cursor.string().map_err(|fault| fault.problem)?;
    let mut out = Vec::new();
    cursor.unescape_token(token, &mut out).map_err(|fault| fault.problem)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn unescapes_like_serde_json() {
    for text in [
        r#""""#,
        r#""plain text longer than eight bytes""#,
        r#""a\"b\\c\/d\ne\tf\rg\bh\fi""#,
        r#""\u0041\u00e9\u20ac\ud83d\ude00 end""#,
        r#""{\"t\":21.5,\"name\":\"\\\"quoted\\\"\"}""#,
    ] {
        assert_eq!(unescaped(text).unwrap(), serde_json::from_str::<String>(text).unwrap());
    }
}

#[test]
fn half_a_surrogate_pair_becomes_the_replacement_character() {
    assert_eq!(unescaped(r#""\ud83dx""#).unwrap(), "\u{fffd}x");
    assert_eq!(unescaped(r#""\ude00""#).unwrap(), "\u{fffd}");
}

#[test]
fn refuses_broken_strings() {
    assert_eq!(unescaped(r#""abc"#), Err(Problem::Truncated));
    assert_eq!(unescaped(r#""abc\"#), Err(Problem::Truncated));
    assert_eq!(unescaped(r#""\x""#), Err(Problem::BadEscape));
    assert_eq!(unescaped(r#""\u12g4""#), Err(Problem::BadEscape));
}

#[test]
fn reads_integers_to_the_edges() {
    for (text, expected) in [
        ("0", Ok(0)),
        ("-9223372036854775808", Ok(i64::MIN)),
        ("9223372036854775807", Ok(i64::MAX)),
        ("\"59\"", Ok(59)),
        ("9223372036854775808", Err(Problem::NumberTooLarge)),
        ("1.5", Err(Problem::Expected("an integer"))),
        ("1e3", Err(Problem::Expected("an integer"))),
        ("true", Err(Problem::Expected("an integer"))),
    ] {
        assert_eq!(Cursor::new(text.as_bytes()).integer().map_err(|fault| fault.problem), expected, "{text}");
    }
}

#[test]
fn depth_is_bounded() {
    let fits = format!("{}{}", "[".repeat(64), "]".repeat(64));
    assert!(Cursor::new(fits.as_bytes()).skip_value().is_ok());
    let bomb = "[".repeat(1_000_000);
    let fault = Cursor::new(bomb.as_bytes()).skip_value().unwrap_err();
    assert_eq!((fault.position, fault.problem), (64, Problem::TooDeep));
}

#[test]
fn brackets_must_match() {
    assert!(Cursor::new(b"{\"a\":[1,2}]").skip_value().is_err());
    assert!(Cursor::new(b"[nul]x").skip_value().is_ok(), "scalars inside skipped values are not read");
    assert!(Cursor::new(b"nul").skip_value().is_err());
}
