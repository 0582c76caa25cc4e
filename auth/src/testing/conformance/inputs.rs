//! Tokens that should not be accepted.

/// At how many places a good token is changed.
pub(super) const TAMPERED_PLACES: usize = 64;

/// A part of a token that is shorter may show by chance.
pub(super) const MIN_RECOGNISABLE_BYTES: usize = 16;

pub(super) fn recognisable_parts(token: &str) -> impl Iterator<Item = &str> {
    token
        .split('.')
        .filter(|part| part.len() >= MIN_RECOGNISABLE_BYTES)
}

/// Enough of a token to find it in the list.
pub(super) fn head(token: &str) -> String {
    token.chars().take(40).collect()
}

/// Variants of a good token that are not good.
pub(super) fn tampered(good: &str) -> Vec<String> {
    let count = good.chars().count();
    let step = (count / TAMPERED_PLACES).max(1);
    let mut tokens: Vec<_> = (0..count)
        .rev()
        .step_by(step)
        .map(|place| {
            let change = |(at, character): (usize, char)| match character {
                _ if at != place => character,
                'A' => 'B',
                _ => 'A',
            };
            good.chars().enumerate().map(change).collect()
        })
        .collect();
    let shortened = good.chars().take(count.saturating_sub(1)).collect();
    tokens.extend([shortened, format!("{good}A"), format!("{good}{good}")]);
    tokens
}

/// Tokens that broke something somewhere.
pub(super) fn hostile() -> impl Iterator<Item = String> {
    let short = [
        "",
        " ",
        "\0",
        "a\0b",
        "\r\nSet-Cookie: a=b",
        ".",
        "..",
        "...",
        "....",
        "null",
        "undefined",
        "{}",
        "[]",
        "true",
        "-1",
        "1e999",
        "=",
        "%00",
        "Bearer",
        "Bearer x",
        "' OR '1'='1",
        "../../etc/passwd",
        "$(id)",
        "\u{202e}gpj",
        "\u{feff}",
        "\u{1f980}",
        "\u{10ffff}.\u{10ffff}.\u{10ffff}",
        // {"alg":"none"}.{"sub":"ann"}. and {"alg":"NONE"}
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.",
        "eyJhbGciOiJOT05FIn0.eyJzdWIiOiJhbm4ifQ.",
        // {"alg":"HS256"} with an empty signature, and with {} for claims
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.",
        "eyJhbGciOiJIUzI1NiJ9.e30.AAAA",
        // []
        "W10.W10.W10",
    ];
    // "[[[[…": "W1tb" is three opening brackets.
    let deep = "W1tb".repeat(1000);
    let long = [
        "a.".repeat(4000),
        "A".repeat(8193),
        "\u{1f980}".repeat(50_000),
        format!("{deep}.{deep}.AAAA"),
        format!("eyJhbGciOiJIUzI1NiJ9.{deep}.AAAA"),
    ];
    short.map(str::to_owned).into_iter().chain(long)
}
