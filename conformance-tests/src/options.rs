//! What to run, and how.

use std::time::Duration;

use crate::case::{Case, Profile};

/// Settings of a run.
///
/// ```
/// use conformance_tests::{Options, Profile};
///
/// let options = Options::new(Profile::Engine).only("EIO4-UPG");
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) profile: Profile,
    pub(crate) only: Vec<String>,
    pub(crate) parallel: usize,
    pub(crate) attempts: u32,
    pub(crate) pid: Option<u32>,
    pub(crate) is_without_polling: bool,
    pub(crate) is_quick: bool,
    pub(crate) limit: Duration,
    pub(crate) patience: Duration,
    pub(crate) return_limit: Duration,
    pub(crate) port_offset: Option<u16>,
    /// The other nodes of the cluster.
    pub(crate) others: Vec<String>,
}

impl Options {
    /// All cases for a server started as that profile says.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            only: Vec::new(),
            parallel: 24,
            attempts: 2,
            pid: None,
            is_without_polling: false,
            is_quick: false,
            limit: Duration::from_secs(300),
            patience: Duration::from_secs(3),
            return_limit: Duration::from_secs(60),
            port_offset: None,
            others: Vec::new(),
        }
    }

    /// The rules of clusters, for the server of the run and these others, each of which is started as
    /// `spec/FIXTURE-CLUSTER.md` says. Each case holds from every one of them to every other.
    ///
    /// ```
    /// use conformance_tests::Options;
    ///
    /// let options = Options::cluster(["http://127.0.0.1:3001", "http://127.0.0.1:3002"]);
    /// # let _ = options;
    /// ```
    #[must_use]
    pub fn cluster(others: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            others: others.into_iter().map(Into::into).collect(),
            ..Self::new(Profile::Cluster)
        }
    }

    /// Only cases with a rule or an id that starts with this; several calls add up.
    #[must_use]
    pub fn only(mut self, prefix: impl Into<String>) -> Self {
        self.only.push(prefix.into());
        self
    }

    /// How many cases run at a time. Default 24. More shortens the run until the server is busy; then rules about
    /// time begin to fail.
    #[must_use]
    pub fn parallel(mut self, count: usize) -> Self {
        self.parallel = count.max(1);
        self
    }

    /// How often a case may run before its failure counts. Default 2: a failed case runs again when all others are
    /// done, with few beside it, so that a busy machine is not mistaken for a broken server.
    #[must_use]
    pub fn attempts(mut self, count: u32) -> Self {
        self.attempts = count.max(1);
        self
    }

    /// The server's process, on the same machine: its memory and descriptors must come back after the run.
    #[must_use]
    pub fn pid(mut self, pid: u32) -> Self {
        self.pid = Some(pid);
        self
    }

    /// How long the watched process has to give back descriptors and memory after the run. Default 60 s, because sessions
    /// that nobody polls live for a while. Less ends a run with a leak sooner, and takes what is slow for one.
    #[must_use]
    pub fn return_limit(mut self, limit: Duration) -> Self {
        self.return_limit = limit;
        self
    }

    /// Leaves out every case that polls, for servers whose connections spread over several processes or shards.
    #[must_use]
    pub fn without_polling(mut self) -> Self {
        self.is_without_polling = true;
        self
    }

    /// Leaves out the few cases that wait ten seconds and more for a timeout, so that the rest is done in a few seconds.
    #[must_use]
    pub fn quick(mut self) -> Self {
        self.is_quick = true;
        self
    }

    /// The longest a run may take; cases that have not run by then are reported as not run. Default 300 s.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// How long a case waits for an answer that should come at once. Default 3 s. Less makes a run against a broken
    /// server shorter; a slow server then fails rules that it keeps.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Only cases for this one of the matrix's servers, counted from 0, and the URL is that server's own. Without it the
    /// URL is the first one's and the others are on the ports after it.
    #[must_use]
    pub fn on_port_offset(mut self, offset: u16) -> Self {
        self.port_offset = Some(offset);
        self
    }

    /// How far from the URL's port the case's server is.
    pub(crate) fn shift(&self, case: &Case) -> u16 {
        match self.port_offset {
            Some(_) => 0,
            None => case.port_offset,
        }
    }

    /// True when the case belongs to the run.
    #[must_use]
    pub fn selects(&self, case: &Case) -> bool {
        let is_named = |only: &String| {
            case.id().starts_with(only) || case.rules.iter().any(|rule| rule.starts_with(only))
        };
        case.profile == self.profile
            && self
                .port_offset
                .is_none_or(|offset| offset == case.port_offset)
            && !(self.is_without_polling && case.is_polling)
            && !(self.is_quick && case.is_long())
            && (self.only.is_empty() || self.only.iter().any(is_named))
    }
}
