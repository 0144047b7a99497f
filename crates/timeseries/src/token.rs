//! Continuation tokens: where an answer goes on. They belong to one request; with another they are refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use twinwright_core::time::Micros;

use crate::QueryError;

/// Where an answer goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// Time of the last event that was given.
    pub(crate) time: Micros,
    /// How many events of this time were given.
    pub(crate) given: usize,
    /// How many events were given in all.
    pub(crate) total: usize,
}

/// The same for the same request in any process (FNV-1a).
pub(crate) fn fingerprint(request: &str) -> u64 {
    request
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Position {
    pub(crate) fn token(self, request: &str) -> String {
        let text = format!("1 {:x} {} {} {}", fingerprint(request), self.time, self.given, self.total);
        URL_SAFE_NO_PAD.encode(text)
    }

    pub(crate) fn parse(token: &str, request: &str) -> Result<Self, QueryError> {
        let wrong = || {
            let message =
                "the continuation token is not of this query: send the same body, or begin without a token";
            QueryError::invalid("x-ms-continuation", message)
        };
        let bytes = URL_SAFE_NO_PAD.decode(token.trim()).map_err(|_| wrong())?;
        let text = String::from_utf8(bytes).map_err(|_| wrong())?;
        let parts: Vec<&str> = text.split(' ').collect();
        let ["1", hash, time, given, total] = parts.as_slice() else { return Err(wrong()) };
        if u64::from_str_radix(hash, 16) != Ok(fingerprint(request)) {
            return Err(wrong());
        }
        let number = |text: &str| text.parse().map_err(|_| wrong());
        Ok(Self { time: time.parse().map_err(|_| wrong())?, given: number(given)?, total: number(total)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_belong_to_their_request() {
        let position = Position { time: -5, given: 2, total: 9 };
        let token = position.token("a");
        assert_eq!(Position::parse(&token, "a"), Ok(position));
        for bad in [("x", "a"), ("", "a"), (token.as_str(), "b"), ("MSAwIDAgMCAw", "a")] {
            assert!(Position::parse(bad.0, bad.1).is_err(), "{bad:?}");
        }
    }
}
