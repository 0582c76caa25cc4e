//! A report without what differs from run to run, so that two of them can be compared line by line.

use super::{Outcome, Report, Status};

/// Lines of an exchange that are kept; what happened first is what explains a failure.
const KEPT_LINES: usize = 8;

/// Characters of a line or a message that are kept.
const KEPT_CHARACTERS: usize = 200;

/// A random id has at least so many characters, in every server seen so far.
const MIN_ID_LENGTH: usize = 16;

/// What stands before a value that is random or a time.
const MARKERS: [&str; 9] = [
    "\"sid\":\"",
    "sid\\\":\\\"",
    "\"pid\":\"",
    "\"offset\":\"",
    "\"expires_at\":",
    "sid=",
    "Cookie: io=",
    "Set-Cookie: io=",
    "127.0.0.1:",
];

/// What a date in a response's head begins with.
const DATES: [&str; 2] = ["Date: ", "date: "];

/// What it ends with.
const DATE_END: &str = " GMT";

/// What is written instead.
const MASK: &str = "…";

pub(super) fn steadied(mut report: Report) -> Report {
    if let Some(made) = &mut report.made {
        made.steady();
    }
    for outcome in &mut report.outcomes {
        steady(outcome);
    }
    report
}

fn steady(outcome: &mut Outcome) {
    outcome.took_millis = 0;
    if let Some((file, _line)) = outcome.at.rsplit_once(':') {
        outcome.at = file.to_owned();
    }
    match &mut outcome.status {
        Status::Passed => {}
        Status::Failed { message, trace } => {
            *message = shortened(masked(message));
            let more = trace.len().saturating_sub(KEPT_LINES);
            trace.truncate(KEPT_LINES);
            for line in trace.iter_mut() {
                *line = shortened(masked(without_time(line)));
            }
            if more > 0 {
                trace.push(format!("{MASK} more"));
            }
        }
        Status::NotRun { reason } => *reason = masked(reason),
    }
}

/// The text's beginning.
fn shortened(text: String) -> String {
    match text.char_indices().nth(KEPT_CHARACTERS) {
        Some((end, _)) => format!("{}{MASK}", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// A trace's line without the milliseconds it begins with.
fn without_time(line: &str) -> &str {
    match line.split_once(" ms ") {
        Some((millis, rest)) if millis.trim().parse::<u64>().is_ok() => rest,
        _ => line,
    }
}

/// The text with ids, tokens, ports and dates masked.
fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if let Some(marker) = MARKERS.iter().find(|marker| rest.starts_with(**marker)) {
            rest = rest.get(marker.len()..).unwrap_or_default();
            out.push_str(marker);
            let (word, after) = word(rest);
            out.push_str(if word.is_empty() { "" } else { MASK });
            rest = after;
        } else if let Some((date, after)) = date(rest) {
            out.push_str(date);
            out.push_str(MASK);
            rest = after;
        } else if let Some(escape) = rest.get(..2).filter(|escape| escape.starts_with('\\')) {
            // A trace writes line ends as `\r\n`, whose letters belong to no word.
            out.push_str(escape);
            rest = rest.get(2..).unwrap_or_default();
        } else if is_of_word(character) {
            let (word, after) = word(rest);
            out.push_str(if is_random(word) { MASK } else { word });
            rest = after;
        } else {
            out.push(character);
            rest = rest.get(character.len_utf8()..).unwrap_or_default();
        }
    }
    out
}

/// What introduces the date that the text begins with, and what follows it.
fn date(text: &str) -> Option<(&'static str, &str)> {
    let introduced = |date: &&str| text.starts_with(*date);
    let date = DATES.into_iter().find(introduced)?;
    let (_, after) = text.split_once(DATE_END)?;
    Some((date, after))
}

/// The word that the text begins with, if any, and what follows.
fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|one| !is_of_word(one)).unwrap_or(text.len()))
}

fn is_of_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

/// True for what nobody would write by hand.
fn is_random(word: &str) -> bool {
    let has = |class: fn(&u8) -> bool| word.as_bytes().iter().any(class);
    word.len() >= MIN_ID_LENGTH
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::{KEPT_CHARACTERS, KEPT_LINES, masked, shortened, steadied, without_time};
    use crate::case::{Level, Profile};
    use crate::report::{Outcome, Report, Status};

    #[test]
    fn ids_tokens_ports_and_dates_are_masked() {
        for (text, expected) in [
            (
                r#"0{"sid":"abcdefghijklmnopqrst","x":1}"#,
                r#"0{"sid":"…","x":1}"#,
            ),
            ("?EIO=4&sid=abc&t=1", "?EIO=4&sid=…&t=1"),
            ("?sid=&t=1", "?sid=&t=1"),
            ("Host: 127.0.0.1:23100\\r\\n", "Host: 127.0.0.1:…\\r\\n"),
            ("no session 9WRQ4TmTMzNWQC0CAACD", "no session …"),
            (
                "200 OK\\r\\nDate: Wed, 25 Nov 2026 00:07:00 GMT\\r\\n",
                "200 OK\\r\\nDate: …\\r\\n",
            ),
            ("date: Wed, 25 Nov 2026 00:07:00 GMT", "date: …"),
            (
                "\\nSet-Cookie: io=abc; Path=/",
                "\\nSet-Cookie: io=…; Path=/",
            ),
            ("eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJmaXh0dXJlIn0.x", "….….x"),
        ] {
            assert_eq!(masked(text), expected);
        }
    }

    #[test]
    fn what_is_the_same_in_every_run_stays() {
        for text in [
            "Sec-WebSocket-Version: 13",
            r#"42["message","€",1000000]"#,
            "AAAAAAAAAAAAAAAAAAAA",
            "Date: soon",
        ] {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn a_long_line_keeps_its_beginning() {
        let exact = "€".repeat(KEPT_CHARACTERS);
        assert_eq!(shortened(exact.clone()), exact);
        assert_eq!(shortened(format!("{exact}x")), format!("{exact}…"));
    }

    #[test]
    fn a_lines_time_goes_and_nothing_else() {
        assert_eq!(without_time("     12 ms [1] > 40"), "[1] > 40");
        assert_eq!(without_time("after 5 ms [1]"), "after 5 ms [1]");
    }

    #[test]
    fn a_long_exchange_keeps_its_beginning_and_no_times() {
        let line = |count: usize| vec!["   1 ms [1] > 4x".to_owned(); count];
        for (count, kept) in [(KEPT_LINES, KEPT_LINES), (KEPT_LINES + 1, KEPT_LINES + 1)] {
            let report = steadied(Report {
                server: "x".to_owned(),
                outcomes: vec![Outcome {
                    id: "area/claim".to_owned(),
                    name: "claim".to_owned(),
                    rules: Vec::new(),
                    level: Level::Must,
                    profile: Profile::Engine.name().to_owned(),
                    at: "src/cases/x.rs:12".to_owned(),
                    attempts: 2,
                    took_millis: 7,
                    status: Status::Failed {
                        message: String::new(),
                        trace: line(count),
                    },
                }],
                leak: None,
                made: None,
            });
            let outcome = &report.outcomes[0];
            assert_eq!(
                (outcome.took_millis, outcome.at.as_str()),
                (0, "src/cases/x.rs")
            );
            let Status::Failed { trace, .. } = &outcome.status else {
                panic!("it failed");
            };
            assert_eq!(trace.len(), kept);
            assert_eq!(trace.last().unwrap() == "… more", count > KEPT_LINES);
        }
    }
}
