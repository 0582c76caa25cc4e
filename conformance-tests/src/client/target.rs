//! Where the server under test is.

use std::fmt;

/// Host, port and path of the server under test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// With a slash at both ends.
    pub(crate) path: String,
}

impl Target {
    /// Reads `http://host[:port][/path]`; the path defaults to the profile's.
    pub(crate) fn parse(url: &str, default_path: &str) -> Result<Self, String> {
        let rest = url
            .strip_prefix("http://")
            .or_else(|| url.strip_prefix("ws://"))
            .ok_or_else(|| format!("{url}: the suite speaks plain http://host:port only"))?;
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (
                host,
                port.parse()
                    .map_err(|_| format!("{url}: {port} is no port"))?,
            ),
            None => (authority, 80),
        };
        if host.is_empty() {
            return Err(format!("{url}: the host is missing"));
        }
        let path = match path.trim_end_matches('/') {
            "" => default_path.to_owned(),
            named => format!("{named}/"),
        };
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            path,
        })
    }

    /// The same server, some ports further on.
    pub(crate) fn at_offset(&self, offset: u16) -> Self {
        Self {
            port: self.port.saturating_add(offset),
            ..self.clone()
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}{}", self.host, self.port, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn a_url_without_path_takes_the_profiles() {
        let target = Target::parse("http://localhost:3000", "/socket.io/").unwrap();
        assert_eq!(target.to_string(), "http://localhost:3000/socket.io/");
    }

    #[test]
    fn a_path_keeps_exactly_one_slash_at_its_end() {
        for url in ["http://h:1/x", "http://h:1/x/"] {
            assert_eq!(Target::parse(url, "/").unwrap().path, "/x/");
        }
    }

    #[test]
    fn other_schemes_and_bad_ports_are_refused_with_the_reason() {
        assert!(Target::parse("https://h", "/").is_err());
        assert!(Target::parse("http://h:x", "/").is_err());
        assert!(Target::parse("http://:1", "/").is_err());
    }
}
