//! A case: the rules it checks, what it needs, and what it does.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::client::Transport;
use crate::context::Context;
use crate::failure::Verdict;

/// How long a case may take unless it says otherwise.
const LIMIT: Duration = Duration::from_secs(10);

/// How binding a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    /// A failure fails the run.
    #[serde(rename = "MUST")]
    Must,
    /// A failure is reported and does not fail the run.
    #[serde(rename = "SHOULD")]
    Should,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
        })
    }
}

/// A way to start the fixture, as `spec/FIXTURE.md` describes it: a profile and its environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// `--profile engine`.
    Engine,
    /// `--profile engine` with `EIO3=1`.
    EngineEio3,
    /// `--profile socket`.
    Socket,
    /// `--profile socket` with `EIO3=1`.
    SocketEio3,
    /// `--profile socket` with `PARSER=msgpack`.
    SocketMsgpack,
    /// `--profile matrix`: seven servers on consecutive ports.
    Matrix,
    /// `--profile auth`.
    Auth,
    /// `--profile auth` with `EIO3=1`.
    AuthEio3,
    /// `--profile cluster`, several times behind one broker: `spec/FIXTURE-CLUSTER.md`.
    Cluster,
}

impl Profile {
    /// Every profile of one server, in the order of `spec/FIXTURE.md`.
    pub const ALL: [Self; 8] = [
        Self::Engine,
        Self::EngineEio3,
        Self::Socket,
        Self::SocketEio3,
        Self::SocketMsgpack,
        Self::Matrix,
        Self::Auth,
        Self::AuthEio3,
    ];

    /// The name on the command line and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::EngineEio3 => "engine-eio3",
            Self::Socket => "socket",
            Self::SocketEio3 => "socket-eio3",
            Self::SocketMsgpack => "socket-msgpack",
            Self::Matrix => "matrix",
            Self::Auth => "auth",
            Self::AuthEio3 => "auth-eio3",
            Self::Cluster => "cluster",
        }
    }

    /// The profile of one server of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// The value of the fixture's own `--profile`.
    #[must_use]
    pub fn fixture(self) -> &'static str {
        match self {
            Self::Engine | Self::EngineEio3 => "engine",
            Self::Socket | Self::SocketEio3 | Self::SocketMsgpack => "socket",
            Self::Matrix => "matrix",
            Self::Auth | Self::AuthEio3 => "auth",
            Self::Cluster => "cluster",
        }
    }

    /// The environment the fixture needs for it; all else is its default.
    #[must_use]
    pub fn environment(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::EngineEio3 | Self::SocketEio3 | Self::AuthEio3 => &[("EIO3", "1")],
            Self::SocketMsgpack => &[("PARSER", "msgpack")],
            Self::Engine | Self::Socket | Self::Matrix | Self::Auth | Self::Cluster => &[],
        }
    }

    /// Where the server answers unless the URL names another path.
    #[must_use]
    pub fn default_path(self) -> &'static str {
        match self {
            Self::Engine | Self::EngineEio3 => "/engine.io/",
            _ => "/socket.io/",
        }
    }
}

/// The secret that the auth cases sign with; the fixtures' default for `JWT_SECRET`.
pub const JWT_SECRET: &str = "conformance-tests-secret-of-32-bytes-or-more";

type Run = Arc<dyn Fn(Context) -> Pin<Box<dyn Future<Output = Verdict> + Send>> + Send + Sync>;

/// One check of one behaviour.
#[derive(Clone)]
pub struct Case {
    pub(crate) area: &'static str,
    pub(crate) name: String,
    pub(crate) rules: Vec<&'static str>,
    pub(crate) level: Level,
    pub(crate) profile: Profile,
    /// Which of the matrix profile's ports, counted from its first.
    pub(crate) port_offset: u16,
    pub(crate) limit: Duration,
    pub(crate) is_hostile: bool,
    pub(crate) is_polling: bool,
    pub(crate) at: &'static Location<'static>,
    /// Counts cases of the same id: their names differ in punctuation only.
    pub(crate) ordinal: usize,
    run: Run,
}

impl Case {
    /// `area/what-it-claims`, unique in the suite.
    #[must_use]
    pub fn id(&self) -> String {
        let mut id = format!("{}/", self.area);
        let mut is_gap = false;
        for character in self.name.chars() {
            if character.is_ascii_alphanumeric() {
                if is_gap {
                    id.push('-');
                }
                is_gap = false;
                id.push(character.to_ascii_lowercase());
            } else {
                is_gap = !id.ends_with('/');
            }
        }
        match self.ordinal {
            1 => id,
            ordinal => format!("{id}-{ordinal}"),
        }
    }

    /// The claim, as a sentence.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rules of `spec/PROTOCOL.md` it checks.
    #[must_use]
    pub fn rules(&self) -> &[&'static str] {
        &self.rules
    }

    /// How binding it is.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// How the server must have been started.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// True when the case uses long-polling, so that all connections must reach the same server process.
    #[must_use]
    pub fn is_polling(&self) -> bool {
        self.is_polling
    }

    /// True for a case that needs more time than most, because its rule is about a long timeout.
    pub(crate) fn is_long(&self) -> bool {
        self.limit > LIMIT
    }

    /// The time it may take at most; most need a hundredth of it.
    pub(crate) fn within(&mut self, seconds: u64) -> &mut Self {
        self.limit = Duration::from_secs(seconds);
        self
    }

    /// Afterwards the server must still serve a fresh client.
    pub(crate) fn hostile(&mut self) -> &mut Self {
        self.is_hostile = true;
        self
    }

    /// The case keeps to WebSocket, so it also holds when several processes share the port.
    pub(crate) fn without_polling(&mut self) -> &mut Self {
        self.is_polling = false;
        self
    }

    pub(crate) async fn run(&self, context: Context) -> Verdict {
        (self.run)(context).await
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("id", &self.id())
            .field("rules", &self.rules)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

/// The cases of one file, being written down.
#[derive(Debug)]
pub(crate) struct Area {
    name: &'static str,
    profile: Profile,
    port_offset: u16,
    pub(crate) cases: Vec<Case>,
}

impl Area {
    pub(crate) fn new(name: &'static str, profile: Profile) -> Self {
        Self {
            name,
            profile,
            port_offset: 0,
            cases: Vec::new(),
        }
    }

    /// What follows needs the server started so.
    pub(crate) fn on(&mut self, profile: Profile) {
        self.profile = profile;
        self.port_offset = 0;
    }

    /// What follows needs this port of the matrix profile.
    pub(crate) fn on_matrix(&mut self, port_offset: u16) {
        self.profile = Profile::Matrix;
        self.port_offset = port_offset;
    }

    /// A case whose failure fails the run. `rules` are ids separated by spaces.
    #[track_caller]
    pub(crate) fn must<F>(
        &mut self,
        rules: &'static str,
        name: &str,
        run: impl Fn(Context) -> F + Send + Sync + 'static,
    ) -> &mut Case
    where
        F: Future<Output = Verdict> + Send + 'static,
    {
        self.add(rules, name.to_owned(), Level::Must, run)
    }

    /// A case of a SHOULD or MAY rule, or of a recommendation.
    #[track_caller]
    pub(crate) fn should<F>(
        &mut self,
        rules: &'static str,
        name: &str,
        run: impl Fn(Context) -> F + Send + Sync + 'static,
    ) -> &mut Case
    where
        F: Future<Output = Verdict> + Send + 'static,
    {
        self.add(rules, name.to_owned(), Level::Should, run)
    }

    /// The same case on polling and on WebSocket.
    #[track_caller]
    pub(crate) fn both<F>(
        &mut self,
        rules: &'static str,
        name: &str,
        run: impl Fn(Context, Transport) -> F + Clone + Send + Sync + 'static,
    ) where
        F: Future<Output = Verdict> + Send + 'static,
    {
        for transport in [Transport::Polling, Transport::WebSocket] {
            let run = run.clone();
            let name = format!("{name} ({transport})");
            let case = self.add(rules, name, Level::Must, move |c| run(c, transport));
            case.is_polling = transport == Transport::Polling;
        }
    }

    #[track_caller]
    fn add<F>(
        &mut self,
        rules: &'static str,
        name: String,
        level: Level,
        run: impl Fn(Context) -> F + Send + Sync + 'static,
    ) -> &mut Case
    where
        F: Future<Output = Verdict> + Send + 'static,
    {
        self.cases.push(Case {
            area: self.name,
            name,
            rules: rules.split_whitespace().collect(),
            level,
            profile: self.profile,
            port_offset: self.port_offset,
            limit: LIMIT,
            is_hostile: false,
            is_polling: true,
            at: Location::caller(),
            ordinal: 1,
            run: Arc::new(move |context| Box::pin(run(context))),
        });
        let last = self.cases.len() - 1;
        &mut self.cases[last]
    }
}
