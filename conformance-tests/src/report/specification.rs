//! The rules' texts, as the pages quote them.

use std::collections::BTreeMap;

/// The rules of `spec/PROTOCOL.md` and `spec/AUTH.md`.
pub(super) struct Specification {
    /// Headings with the ids of their rules, in the order of the text.
    pub(super) sections: Vec<(String, Vec<String>)>,
    texts: BTreeMap<String, String>,
}

impl Specification {
    pub(super) fn read() -> Self {
        let mut read = Self {
            sections: Vec::new(),
            texts: BTreeMap::new(),
        };
        read.add(include_str!("../../spec/PROTOCOL.md"));
        read.add(include_str!("../../spec/AUTH.md"));
        read
    }

    /// A rule's text in Markdown, without its level and its marks of evidence; empty for an unknown rule.
    pub(super) fn text(&self, id: &str) -> &str {
        self.texts.get(id).map_or("", String::as_str)
    }

    fn add(&mut self, text: &str) {
        let (mut chapter, mut current) = ("", None::<String>);
        for line in text.lines() {
            if let Some(heading) = line.strip_prefix("# ") {
                chapter = title(heading);
                self.sections.push((chapter.to_owned(), Vec::new()));
            } else if let Some(heading) = line.strip_prefix("## ") {
                let heading = format!("{chapter}: {}", title(heading));
                self.sections.push((heading, Vec::new()));
            }
            if let Some((id, rest)) = line
                .strip_prefix("- **")
                .and_then(|line| line.split_once("**"))
            {
                if let Some((_, ids)) = self.sections.last_mut() {
                    ids.push(id.to_owned());
                }
                self.texts.insert(id.to_owned(), sentence(rest));
                current = Some(id.to_owned());
            } else if let (Some(id), Some(rest)) = (&current, line.strip_prefix("  ")) {
                let rule = self.texts.entry(id.clone()).or_default();
                rule.push(' ');
                rule.push_str(rest.trim());
            } else {
                current = None;
            }
        }
    }
}

/// A heading without its number and without the ids behind it.
fn title(heading: &str) -> &str {
    let heading = heading.trim_start_matches(|one: char| one.is_ascii_digit() || one == '.');
    let heading = heading.split_once(" (").map_or(heading, |(title, _)| title);
    heading.trim()
}

/// A rule's text without its level and its marks of evidence.
fn sentence(rest: &str) -> String {
    let rest = rest.trim_start();
    let rest = ["MUST", "SHOULD", "MAY"]
        .iter()
        .find_map(|level| rest.strip_prefix(level))
        .unwrap_or(rest);
    let rest = rest.trim_start();
    match rest
        .strip_prefix("`[")
        .and_then(|marked| marked.split_once('`'))
    {
        Some((_, text)) => text.trim().to_owned(),
        None => rest.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::Specification;

    #[test]
    fn rules_are_read_with_continued_lines() {
        let rules = Specification::read();
        assert!(rules.text("EIO4-QRY-01").contains("is not intercepted"));
        assert!(!rules.text("EIO4-QRY-01").contains("[V]"));
        assert!(!rules.text("AUTH-EIO3").is_empty());
        assert_eq!(rules.text("EIO9"), "");
    }

    #[test]
    fn rules_stand_under_their_headings() {
        let rules = Specification::read();
        let (heading, ids) = rules
            .sections
            .iter()
            .find(|(_, ids)| ids.contains(&"EIO4-UPG-02".to_owned()))
            .unwrap();
        assert_eq!(heading, "Engine.IO protocol 4: Transport upgrade");
        assert_eq!(ids[0], "EIO4-UPG-01");
    }
}
