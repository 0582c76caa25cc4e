//! The names of what is said on NATS.

use std::fmt;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use socketio::cluster::{ClusterMessage, Scope, ServerId};

/// The longest subject that is spoken or heard. A nats-server closes a connection whose command, subject and all, is longer than its
/// `max_control_line`, 4,096 bytes by default.
const MAX_SUBJECT: usize = 2048;

/// | subject | what is said there | who hears it |
/// |---|---|---|
/// | `<prefix>.nsp.<namespace>` | what is for all | servers that have the namespace |
/// | `<prefix>.to.<server>.<namespace>` | answers | the server that asked |
/// | `<prefix>.server` | what is about no namespace | all servers |
///
/// Dots divide a subject, spaces end it, `*` and `>` are wildcards: all but letters and digits of a name is percent-encoded, so that
/// clients may call a dynamic namespace what they like.
#[derive(Clone, Debug)]
pub(crate) struct Subjects {
    prefix: String,
}

impl Subjects {
    pub(crate) fn new(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
        }
    }

    /// Where a message is said.
    pub(crate) fn of(&self, message: &ClusterMessage) -> Result<String, TooLong> {
        let to = message.to.as_ref().filter(|to| !to.is_anonymous());
        match (&message.scope, to) {
            (Scope::Namespace(nsp), Some(to)) => {
                bounded(format!("{}.{}", self.to(to), encoded(nsp)))
            }
            (Scope::Namespace(nsp), None) => self.namespace(nsp),
            (Scope::Server, _) => Ok(self.server()),
        }
    }

    pub(crate) fn namespace(&self, nsp: &str) -> Result<String, TooLong> {
        bounded(format!("{}.nsp.{}", self.prefix, encoded(nsp)))
    }

    pub(crate) fn server(&self) -> String {
        format!("{}.server", self.prefix)
    }

    /// The answers to a server, whatever namespace they are about.
    pub(crate) fn answers(&self, own: &ServerId) -> String {
        format!("{}.*", self.to(own))
    }

    fn to(&self, server: &ServerId) -> String {
        format!("{}.to.{}", self.prefix, encoded(server.as_str()))
    }

    /// What is spoken of on a subject; `None` where the name is nobody's.
    pub(crate) fn scope(&self, subject: &str) -> Option<Scope> {
        let rest = subject.strip_prefix(&*self.prefix)?.strip_prefix('.')?;
        if rest == "server" {
            return Some(Scope::Server);
        }
        let (_, nsp) = rest.rsplit_once('.')?;
        let nsp = percent_decode_str(nsp).decode_utf8().ok()?;
        Some(Scope::namespace(nsp))
    }
}

fn encoded(name: &str) -> impl fmt::Display + '_ {
    utf8_percent_encode(name, NON_ALPHANUMERIC)
}

fn bounded(subject: String) -> Result<String, TooLong> {
    if subject.len() > MAX_SUBJECT {
        return Err(TooLong);
    }
    Ok(subject)
}

/// A name is too long for a subject.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a subject would have more than {MAX_SUBJECT} bytes")
    }
}

impl std::error::Error for TooLong {}

#[cfg(test)]
mod tests {
    use socketio::cluster::ClusterBody;

    use super::*;

    fn subjects() -> Subjects {
        Subjects::new("socket.io")
    }

    fn message(nsp: &str) -> ClusterMessage {
        let scope = Scope::namespace(nsp);
        ClusterMessage::new(ServerId::new("a"), scope, ClusterBody::Heartbeat)
    }

    #[test]
    fn names_of_any_letters_are_told_from_their_subjects() {
        let long = format!("/{}", "x".repeat(200));
        let names = [
            "/",
            "/chat",
            "/a b",
            "/a.b",
            "/a*",
            "/>",
            "/%2F",
            "/é😀",
            "/\t\r\n\0",
            "/_-~",
            &long,
        ];
        for nsp in names {
            let to = ServerId::new("a.b >*");
            let addressed = message(nsp).with_addressee(to);
            for (message, tokens) in [(message(nsp), 4), (addressed, 5)] {
                let subject = subjects().of(&message).unwrap();
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"%.".contains(&byte);
                assert!(subject.bytes().all(is_plain), "{subject}");
                assert_eq!(subject.split('.').count(), tokens, "{subject}");
                assert_eq!(subjects().scope(&subject), Some(message.scope));
            }
        }
    }

    #[test]
    fn no_namespace_is_called_as_what_is_about_whole_servers() {
        let mut message = message("/");
        message.scope = Scope::Server;
        let server = subjects().of(&message).unwrap();
        assert_eq!(subjects().scope(&server), Some(Scope::Server));
        for nsp in ["server", "/server", "."] {
            assert_ne!(subjects().namespace(nsp), Ok(server.clone()));
        }
    }

    #[test]
    fn answers_go_where_the_asker_listens() {
        let own = ServerId::new("0123456789abcdef");
        assert_eq!(subjects().answers(&own), "socket.io.to.0123456789abcdef.*");
        let answer = message("/a").with_addressee(own);
        let subject = subjects().of(&answer);
        assert_eq!(subject.as_deref(), Ok("socket.io.to.0123456789abcdef.%2Fa"));
        // Who did not say who it is, is told with all others.
        let anonymous = message("/a").with_addressee(ServerId::ANONYMOUS);
        assert_eq!(subjects().of(&anonymous), subjects().namespace("/a"));
    }

    #[test]
    fn a_subject_is_bounded() {
        let begins = subjects().namespace("").unwrap().len();
        let name = "x".repeat(MAX_SUBJECT - begins);
        assert_eq!(subjects().namespace(&name).unwrap().len(), MAX_SUBJECT);
        assert_eq!(subjects().namespace(&format!("{name}x")), Err(TooLong));
        let to = message("/").with_addressee(ServerId::new("x".repeat(MAX_SUBJECT)));
        assert_eq!(subjects().of(&to), Err(TooLong));
    }

    #[test]
    fn subjects_of_others_mean_nothing() {
        for subject in [
            "",
            "socket.io",
            "socket.ioserver",
            "other.nsp.a",
            "socket.io.nsp.%FF",
        ] {
            assert_eq!(subjects().scope(subject), None, "{subject}");
        }
    }
}
