//! JSONP: a polling body wrapped in a script call, and taken out of a form field.
//!
//! The response is a script that a browser runs in the page of whoever asked, so nothing of the
//! request reaches it except digits, and the payload only as a JSON string.

#![deny(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::borrow::Cow;

/// The body of a response. `index` is the `j` parameter of the handshake; what is not a digit in
/// it is left out.
//= EIO4-JSP-01
pub(crate) fn jsonp_response(index: &str, payload: &str) -> Vec<u8> {
    let room = payload.len().saturating_add(index.len()).saturating_add(16);
    let mut script = String::with_capacity(room);
    script.push_str("___eio[");
    script.extend(index.chars().filter(char::is_ascii_digit));
    script.push_str("](\"");
    for character in payload.chars() {
        push_escaped(character, &mut script);
    }
    script.push_str("\");");
    script.into_bytes()
}

/// The payload in a form-encoded request body.
///
/// `None` if there is no field `d`, or several, which the reference ignores as well.
//= EIO4-JSP-03
pub(crate) fn jsonp_request(body: &str) -> Option<String> {
    let mut values = body.split('&').filter_map(|field| {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        (decode_form(name) == "d").then_some(value)
    });
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    Some(unescape_newlines(&decode_form(value)))
}

//= EIO4-JSP-02
fn push_escaped(character: char, script: &mut String) {
    match character {
        '"' => script.push_str("\\\""),
        '\\' => script.push_str("\\\\"),
        '\u{8}' => script.push_str("\\b"),
        '\t' => script.push_str("\\t"),
        '\n' => script.push_str("\\n"),
        '\u{c}' => script.push_str("\\f"),
        '\r' => script.push_str("\\r"),
        // JSON allows these two in a string, scripts of older browsers do not.
        '\u{0}'..='\u{1f}' | '\u{2028}' | '\u{2029}' => {
            script.push_str("\\u");
            for shift in [12_u32, 8, 4, 0] {
                let digit = (u32::from(character) >> shift) & 0xf;
                script.extend(char::from_digit(digit, 16));
            }
        }
        other => script.push(other),
    }
}

/// Undoes form encoding. A stray percent sign stands for itself, and bytes that are not UTF-8
/// become replacement characters, as in the reference.
fn decode_form(encoded: &str) -> Cow<'_, str> {
    if !encoded.contains(['%', '+']) {
        return Cow::Borrowed(encoded);
    }
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => {
                if let Some((value, after)) = take_hex_pair(after) {
                    decoded.push(value);
                    rest = after;
                } else {
                    decoded.push(byte);
                }
            }
            other => decoded.push(other),
        }
    }
    Cow::Owned(
        String::from_utf8(decoded)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    )
}

fn take_hex_pair(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (&[high, low], rest) = bytes.split_first_chunk()?;
    let high = char::from(high).to_digit(16)?;
    let low = char::from(low).to_digit(16)?;
    let value = u8::try_from((high << 4) | low).ok()?;
    Some((value, rest))
}

/// `\n` becomes a newline and `\\n` becomes `\n`; other backslashes are kept.
fn unescape_newlines(text: &str) -> String {
    let mut unescaped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escape)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        unescaped.push_str(before);
        if let Some(after) = escape.strip_prefix("\\\\n") {
            unescaped.push_str("\\n");
            rest = after;
        } else if let Some(after) = escape.strip_prefix("\\n") {
            unescaped.push('\n');
            rest = after;
        } else {
            unescaped.push('\\');
            rest = escape.strip_prefix('\\').unwrap_or_default();
        }
    }
    unescaped.push_str(rest);
    unescaped
}

#[cfg(test)]
mod tests {
    use super::{jsonp_request, jsonp_response};

    fn response(index: &str, payload: &str) -> String {
        String::from_utf8(jsonp_response(index, payload)).unwrap()
    }

    //= EIO4-JSP-01 test
    #[test]
    fn response_calls_the_function_with_a_json_string() {
        assert_eq!(
            response("12", "0{\"sid\":1}"),
            r#"___eio[12]("0{\"sid\":1}");"#
        );
        assert_eq!(response("", ""), r#"___eio[]("");"#);
    }

    //= EIO4-JSP-01 test
    #[test]
    fn index_keeps_only_its_digits() {
        assert_eq!(response("abc12x", "6"), r#"___eio[12]("6");"#);
        assert_eq!(response("0](alert)//٣", "6"), r#"___eio[0]("6");"#);
    }

    //= EIO4-JSP-02 test
    #[test]
    fn line_separators_and_controls_are_escaped() {
        assert_eq!(
            response(
                "0",
                "4\u{2028}\u{2029}\u{1e}\u{0}\u{8}\t\n\u{c}\r\u{1f}/\\é\u{7f}"
            ),
            "___eio[0](\"4\\u2028\\u2029\\u001e\\u0000\\b\\t\\n\\f\\r\\u001f/\\\\é\u{7f}\");"
        );
    }

    #[test]
    fn every_character_survives_a_json_parser() {
        for text in ('\u{0}'..='\u{3000}').map(String::from) {
            let script = response("1", &text);
            let json = script
                .strip_prefix("___eio[1](")
                .and_then(|rest| rest.strip_suffix(");"))
                .unwrap();
            assert_eq!(serde_json::from_str::<String>(json).unwrap(), text);
        }
    }

    //= EIO4-JSP-03 test
    #[test]
    fn escaped_newlines_are_undone_once() {
        let rows = [
            (r"d=4he\nllo\\n", "4he\nllo\\n"),
            (r"d=4he%5Cnllo%5C%5Cn", "4he\nllo\\n"),
            (r"d=\\\n", r"\\n"),
            (r"d=\\\\n", r"\\\n"),
            (r"d=a\", r"a\"),
            (r"d=a\\", r"a\\"),
            (r"d=\r\n\t", "\\r\n\\t"),
        ];
        for (body, expected) in rows {
            assert_eq!(jsonp_request(body).as_deref(), Some(expected), "{body}");
        }
    }

    //= EIO4-JSP-03 test
    #[test]
    fn form_encoding_is_undone() {
        let rows = [
            ("d=4a+b%20c%2B", Some("4a b c+")),
            ("x=1&d=4a&y", Some("4a")),
            ("%64=4%e2%82%AC", Some("4€")),
            ("d=4a=b", Some("4a=b")),
            ("d=4%", Some("4%")),
            ("d=4%2", Some("4%2")),
            ("d=4%zz%+1", Some("4%zz% 1")),
            ("d=4%ff", Some("4\u{fffd}")),
            ("d=4%é", Some("4%é")),
            ("d", Some("")),
            ("d=", Some("")),
        ];
        for (body, expected) in rows {
            assert_eq!(jsonp_request(body).as_deref(), expected, "{body}");
        }
    }

    //= EIO4-JSP-03 test
    #[test]
    fn missing_or_repeated_field_holds_no_payload() {
        for body in ["", "&", "x=1", "D=4a", "dd=4a", "d=4a&d=4b"] {
            assert_eq!(jsonp_request(body), None, "{body}");
        }
    }
}
