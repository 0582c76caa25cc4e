//! Which paths are served (EIO4-QRY-01, EIO4-QRY-02).

#[derive(Clone, Debug)]
pub(crate) struct PathMatcher {
    /// Without the trailing slash.
    bare: String,
    serves_bare: bool,
}

impl PathMatcher {
    pub(crate) fn new(path: &str, add_trailing_slash: bool) -> Self {
        Self {
            bare: path.trim_end_matches('/').to_owned(),
            serves_bare: !add_trailing_slash,
        }
    }

    /// What follows the path and its slash, also of a path from which a router has taken it away.
    pub(crate) fn rest<'p>(&self, path: &'p str) -> &'p str {
        let rest = match path.strip_prefix(self.bare.as_str()) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => rest,
            // A router has taken it away.
            _ => path,
        };
        rest.strip_prefix('/').unwrap_or_default()
    }

    /// True for the path with its slash and all below it; for the bare path only where configured.
    pub(crate) fn matches(&self, path: &str) -> bool {
        match path.strip_prefix(self.bare.as_str()) {
            Some("") => self.serves_bare,
            Some(rest) => rest.starts_with('/'),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trailing_slash_is_required_unless_it_was_dropped() {
        for path in ["/engine.io", "/engine.io/"] {
            let strict = PathMatcher::new(path, true);
            assert!(strict.matches("/engine.io/"));
            assert!(strict.matches("/engine.io/foo/bar"));
            assert_eq!(strict.rest("/engine.io/foo/bar"), "foo/bar");
            assert_eq!(strict.rest("/engine.io/"), "");
            assert_eq!(strict.rest("/engine.io.js"), "engine.io.js", "of a router");
            assert!(!strict.matches("/engine.io"));
            assert!(!strict.matches("/engine.iox"));
            assert!(!strict.matches("/"));
            let loose = PathMatcher::new(path, false);
            assert!(loose.matches("/engine.io"));
            assert!(loose.matches("/engine.io/"));
            assert!(!loose.matches("/engine.iox"));
        }
    }
}
