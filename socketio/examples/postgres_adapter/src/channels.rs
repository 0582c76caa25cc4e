//! Which channels are to be listened to, and which are. Pure.
//!
//! What is wanted is kept, and Postgres brought to it one [`Step`] at a time: the last wish for a channel wins.

use std::collections::{BTreeSet, HashMap};

use socketio::cluster::{AdapterError, Scope};

use crate::error::PostgresError;

/// How many bytes the name of a channel may have: Postgres cuts a longer one off, and listens to another channel.
//= PGA-01
pub const MAX_CHANNEL_BYTES: usize = 63;

/// The channel of a namespace. Clients choose names of dynamic namespaces, so any may come.
pub(crate) fn of_namespace(prefix: &str, nsp: &str) -> Result<String, PostgresError> {
    checked(format!("{prefix}#{nsp}"))
}

/// The one of what is about no namespace, to which servers of Node do not listen.
//= RDS-09
pub(crate) fn of_servers(prefix: &str) -> Result<String, PostgresError> {
    checked(format!("{prefix}-server#"))
}

fn checked(name: String) -> Result<String, PostgresError> {
    if name.len() > MAX_CHANNEL_BYTES || name.contains('\0') {
        return Err(PostgresError::InvalidChannel(name));
    }
    Ok(name)
}

/// A name in SQL. Nothing but the quote itself means anything between quotes.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Something to be said to Postgres.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Listen(String),
    Unlisten(String),
}

impl Step {
    pub(crate) fn sql(&self) -> String {
        match self {
            Self::Listen(name) => format!("LISTEN {}", quoted(name)),
            Self::Unlisten(name) => format!("UNLISTEN {}", quoted(name)),
        }
    }
}

#[derive(Debug)]
struct Channel {
    scope: Scope,
    /// `None` while it is waited for.
    outcome: Option<Result<(), AdapterError>>,
}

/// The channels of a server.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    wanted: HashMap<String, Channel>,
    changed: BTreeSet<String>,
    /// Steps that were taken and have no outcome yet.
    taken: usize,
    is_away: bool,
}

impl Channels {
    pub(crate) fn open(&mut self, name: &str, scope: Scope) {
        let outcome = None;
        let channel = Channel { scope, outcome };
        self.wanted.insert(name.to_owned(), channel);
        self.changed.insert(name.to_owned());
    }

    pub(crate) fn close(&mut self, name: &str) {
        if self.wanted.remove(name).is_some() {
            self.changed.insert(name.to_owned());
        }
    }

    /// What is to be done next, at most so many steps. Each is to be [finished](Self::finish) before more is taken.
    pub(crate) fn take(&mut self, max: usize) -> Vec<Step> {
        let names = std::iter::from_fn(|| self.changed.pop_first());
        let steps = names.take(max).map(|name| {
            if self.wanted.contains_key(&name) {
                Step::Listen(name)
            } else {
                Step::Unlisten(name)
            }
        });
        let steps: Vec<_> = steps.collect();
        self.taken = steps.len();
        steps
    }

    /// What became of a step.
    pub(crate) fn finish(&mut self, step: &Step, outcome: Result<(), AdapterError>) {
        self.taken = self.taken.saturating_sub(1);
        if let Step::Listen(name) = step
            && let Some(channel) = self.wanted.get_mut(name)
        {
            channel.outcome = Some(outcome);
        }
    }

    /// Postgres is not reached. Nobody waits for it, and all is to be listened to anew.
    pub(crate) fn went_away(&mut self) {
        self.is_away = true;
        self.taken = 0;
        self.changed = self.wanted.keys().cloned().collect();
        for channel in self.wanted.values_mut() {
            channel.outcome = None;
        }
    }

    /// Postgres is reached.
    pub(crate) fn came_back(&mut self) {
        self.is_away = false;
    }

    /// Whether a channel is listened to; `None` while that is to be waited for.
    pub(crate) fn outcome(&self, name: &str) -> Option<Result<(), AdapterError>> {
        match self.wanted.get(name) {
            Some(channel) if !self.is_away => channel.outcome.clone(),
            _ => Some(Ok(())),
        }
    }

    /// Whether all that is wanted was said and answered.
    pub(crate) fn is_settled(&self) -> bool {
        !self.is_away && self.taken == 0 && self.changed.is_empty()
    }

    pub(crate) fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// What a channel is about.
    pub(crate) fn scope(&self, name: &str) -> Option<Scope> {
        self.wanted.get(name).map(|channel| channel.scope.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(name: &str) -> Step {
        Step::Listen(name.into())
    }

    fn opened(names: &[&str]) -> Channels {
        let mut channels = Channels::default();
        for name in names {
            channels.open(name, Scope::namespace(*name));
        }
        channels
    }

    //= PGA-01 test
    #[test]
    fn a_name_is_one_word_of_sql_whatever_is_in_it() {
        for (nsp, sql) in [
            ("/", r##"LISTEN "p#/""##),
            ("/a'b", r##"LISTEN "p#/a'b""##),
            (
                r#"/";DROP TABLE x;--"#,
                r##"LISTEN "p#/"";DROP TABLE x;--""##,
            ),
            ("/Ä\\ \n", "LISTEN \"p#/Ä\\ \n\""),
        ] {
            let name = of_namespace("p", nsp).unwrap();
            assert_eq!(Step::Listen(name).sql(), sql);
        }
    }

    /// Postgres would cut these off, and two namespaces have one channel.
    //= PGA-01 test
    #[test]
    fn a_name_has_63_bytes_and_no_nul() {
        let fits = "é".repeat(30);
        assert_eq!(of_namespace("p", &format!("/{fits}")).unwrap().len(), 63);
        for nsp in [format!("/a{fits}"), format!("//{fits}"), "/\0".into()] {
            let error = of_namespace("p", &nsp).unwrap_err();
            assert!(error.to_string().contains("63 bytes"), "{error}");
        }
        assert!(of_servers(&"p".repeat(55)).is_ok());
        assert!(of_servers(&"p".repeat(56)).is_err());
    }

    #[test]
    fn who_opens_waits_until_it_is_heard_or_refused() {
        let mut channels = opened(&["a", "b"]);
        assert!(channels.outcome("a").is_none() && !channels.is_settled());
        assert_eq!(channels.take(1), [listen("a")]);
        assert_eq!(channels.take(0), []);
        channels.finish(&listen("a"), Ok(()));
        assert!(matches!(channels.outcome("a"), Some(Ok(()))));
        assert!(channels.outcome("b").is_none());
        assert_eq!(channels.take(9), [listen("b")]);
        assert!(!channels.is_settled(), "it is not answered");
        channels.finish(&listen("b"), Err(AdapterError::Closed));
        assert!(matches!(channels.outcome("b"), Some(Err(_))));
        assert!(channels.is_settled());
    }

    //= SHD-07 test
    #[test]
    fn the_last_wish_wins() {
        let mut channels = opened(&["a"]);
        channels.close("a");
        channels.open("a", Scope::Server);
        assert_eq!(channels.take(9), [listen("a")]);
        channels.close("a");
        channels.finish(&listen("a"), Ok(()));
        assert!(channels.scope("a").is_none());
        let unlisten = Step::Unlisten("a".into());
        assert_eq!(channels.take(9), std::slice::from_ref(&unlisten));
        channels.open("a", Scope::Server);
        channels.finish(&unlisten, Ok(()));
        assert!(channels.outcome("a").is_none(), "it is given up just now");
        assert_eq!(channels.take(9), [listen("a")]);
        channels.close("never opened");
        assert!(!channels.has_changed());
    }

    //= PGA-03 test
    #[test]
    fn nobody_waits_for_a_postgres_that_is_away_and_all_is_heard_when_it_is_back() {
        let mut channels = opened(&["a", "b"]);
        channels.take(1);
        channels.went_away();
        assert!(matches!(channels.outcome("a"), Some(Ok(()))));
        assert!(!channels.is_settled());
        channels.came_back();
        assert!(channels.outcome("a").is_none());
        assert_eq!(channels.take(9), [listen("a"), listen("b")]);
    }
}
