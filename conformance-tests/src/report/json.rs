//! The report as JSON.

use super::Report;

pub(super) fn write(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report)
        .expect("serialises, because it holds strings and numbers only");
    text.push('\n');
    text
}
