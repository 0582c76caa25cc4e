//! Which origins may talk to the server at all.

/// A list of origins, each compared as scheme, host and port.
///
/// ```
/// let origins = engineio::AllowedOrigins::new(["https://chat.example"]);
/// assert!(origins.allows("https://chat.example"));
/// assert!(!origins.allows("https://chat.example.evil"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedOrigins {
    origins: Vec<String>,
}

impl AllowedOrigins {
    /// These origins and no others.
    pub fn new<S: AsRef<str>>(origins: impl IntoIterator<Item = S>) -> Self {
        Self {
            origins: origins
                .into_iter()
                .map(|origin| normal(origin.as_ref()))
                .collect(),
        }
    }

    /// True when the origin is in the list. Scheme and host are compared without regard to case; the default
    /// port of `http` and `https` may be written or left out.
    #[must_use]
    pub fn allows(&self, origin: &str) -> bool {
        let origin = normal(origin);
        self.origins.contains(&origin)
    }
}

fn normal(origin: &str) -> String {
    let origin = origin.trim_end_matches('/').to_ascii_lowercase();
    let default_port = match origin.split_once("://") {
        Some(("http" | "ws", _)) => ":80",
        Some(("https" | "wss", _)) => ":443",
        _ => return origin,
    };
    origin
        .strip_suffix(default_port)
        .map_or_else(|| origin.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_whole() {
        let origins = AllowedOrigins::new(["https://A.example", "http://b.example:8080"]);
        for allowed in [
            "https://a.example",
            "https://a.example:443",
            "http://b.example:8080",
        ] {
            assert!(origins.allows(allowed), "{allowed}");
        }
        for refused in [
            "http://a.example",
            "https://a.example:444",
            "https://a.example.evil",
            "https://evil-a.example",
            "null",
            "",
            "http://b.example",
        ] {
            assert!(!origins.allows(refused), "{refused}");
        }
    }
}
