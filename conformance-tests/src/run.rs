//! Runs the cases: in parallel with a bound, each with a time limit, the failed ones again with few others.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::case::Case;
use crate::cases;
use crate::client::Target;
use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::health::{self, Usage};
use crate::options::Options;
use crate::probe;
use crate::report::{Made, Outcome, Report, Status};
use crate::trace::Trace;

/// How many failed cases run again at a time: few enough that a busy machine is no excuse, and enough that a run against
/// a server with a hundred failures, many of which are waits in vain, comes to its end.
const AGAIN_AT_A_TIME: usize = 4;

/// Why a run could not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunError {
    /// The URL cannot be used.
    Url(String),
    /// No case matches the profile and the filter.
    Nothing,
    /// The server does not open a session for a fresh client.
    NotServing(String),
    /// The server opens sessions and does not do what `spec/FIXTURE.md` asks of it, so its cases would say nothing.
    NotTheFixture(String),
    /// The process named by the options cannot be read.
    Process(String),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(reason) | Self::NotTheFixture(reason) => f.write_str(reason),
            Self::Nothing => f.write_str("no case matches the profile and the filter"),
            Self::NotServing(reason) => write!(f, "the server does not serve: {reason}"),
            Self::Process(reason) => write!(f, "the server's process cannot be watched: {reason}"),
        }
    }
}

impl std::error::Error for RunError {}

/// Runs the suite against the server at `url`, which must have been started as the options' profile says.
///
/// Takes as long as the slowest cases, at most the options' limit; cancelling it ends the run.
///
/// # Errors
///
/// When the run cannot begin: a bad URL, no case selected, no server that opens a session there, or one that does nothing
/// of what its profile's fixture does. What the server does wrong is not an error but in the report.
pub async fn run(url: &str, options: Options) -> Result<Report, RunError> {
    let path = options.profile.default_path();
    let target = Target::parse(url, path).map_err(RunError::Url)?;
    let others = options.others.iter().map(|url| Target::parse(url, path));
    let others: Arc<[Target]> = others.collect::<Result<_, _>>().map_err(RunError::Url)?;
    let selected: Vec<Case> = cases::all()
        .into_iter()
        .filter(|case| options.selects(case))
        .collect();
    if selected.is_empty() {
        return Err(RunError::Nothing);
    }
    let offsets = ports(&selected, &options).into_iter();
    let asked = offsets.map(|offset| target.at_offset(offset));
    for target in asked.chain(others.iter().cloned()) {
        probe::serves(&target).await.map_err(RunError::NotServing)?;
        probe::is_fixture(&target, &options)
            .await
            .map_err(RunError::NotTheFixture)?;
    }
    let before = match options.pid {
        Some(pid) => Some(Usage::of(pid).map_err(RunError::Process)?),
        None => None,
    };
    let began_at = Instant::now();
    let runner = Arc::new(Runner {
        target,
        others,
        ends_at: began_at + options.limit,
        options: options.clone(),
        is_gone: std::sync::OnceLock::new(),
    });
    let mut outcomes = runner.all(&selected, options.parallel).await;
    for _ in 1..options.attempts {
        runner.again(&selected, &mut outcomes).await;
    }
    let leak = match before {
        Some(before) => before.is_back(options.return_limit).await.err(),
        None => None,
    };
    let made = Made::now(began_at.elapsed());
    Ok(Report::new(
        url,
        options.profile,
        outcomes,
        leak,
        Some(made),
    ))
}

/// The matrix ports that the cases need.
fn ports(cases: &[Case], options: &Options) -> Vec<u16> {
    let mut offsets: Vec<u16> = cases.iter().map(|case| options.shift(case)).collect();
    offsets.sort_unstable();
    offsets.dedup();
    offsets
}

struct Runner {
    target: Target,
    /// The other nodes of its cluster.
    others: Arc<[Target]>,
    ends_at: Instant,
    options: Options,
    /// Why the server no longer answers at all, once that was seen.
    is_gone: std::sync::OnceLock<String>,
}

impl Runner {
    /// Runs every case, `parallel` at a time.
    async fn all(self: &Arc<Self>, cases: &[Case], parallel: usize) -> Vec<Outcome> {
        let numbered = cases.iter().cloned().enumerate().collect();
        let mut outcomes: Vec<Option<Outcome>> = cases.iter().map(|_| None).collect();
        for (index, outcome) in self.some(numbered, parallel).await {
            outcomes[index] = Some(outcome);
        }
        let missing = |case: &Case| Outcome::new(case, Status::not_run("the case itself panicked"));
        cases
            .iter()
            .zip(outcomes)
            .map(|(case, outcome)| outcome.unwrap_or_else(|| missing(case)))
            .collect()
    }

    /// Runs each failed case once more, in peace.
    async fn again(self: &Arc<Self>, cases: &[Case], outcomes: &mut [Outcome]) {
        let numbered = cases.iter().cloned().enumerate();
        let failed = numbered.filter(|(index, _)| outcomes[*index].status.is_failed());
        for (index, mut outcome) in self.some(failed.collect(), AGAIN_AT_A_TIME).await {
            // What was seen is worth more than that there was no time to see it again.
            if !matches!(outcome.status, Status::NotRun { .. }) {
                outcome.attempts = outcomes[index].attempts + 1;
                outcomes[index] = outcome;
            }
        }
    }

    /// The outcomes of these cases, each with its case's number; none for a case that panicked.
    async fn some(
        self: &Arc<Self>,
        cases: Vec<(usize, Case)>,
        parallel: usize,
    ) -> Vec<(usize, Outcome)> {
        let permits = Arc::new(Semaphore::new(parallel));
        let mut running = JoinSet::new();
        // The slowest first, so that the run does not end with one case alone.
        let mut order = cases;
        order.sort_by_key(|(_, case)| std::cmp::Reverse(case.limit));
        for (index, case) in order {
            let (runner, permits) = (self.clone(), permits.clone());
            running.spawn(async move {
                let _permit = permits.acquire().await;
                (index, runner.one(&case).await)
            });
        }
        let mut outcomes = Vec::new();
        while let Some(ended) = running.join_next().await {
            outcomes.extend(ended.ok());
        }
        outcomes
    }

    /// How often a case does what it does: for each node with each other one, where there are several.
    fn pairs(&self) -> u32 {
        let others = u32::try_from(self.others.len()).unwrap_or(u32::MAX);
        others.saturating_add(1).saturating_mul(others).max(1)
    }

    async fn one(&self, case: &Case) -> Outcome {
        if let Some(reason) = self.is_gone.get() {
            return Outcome::new(case, Status::not_run(reason));
        }
        let left = self.ends_at.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Outcome::new(case, Status::not_run("the run's time limit was reached"));
        }
        let limit = left.min(case.limit * self.pairs());
        let trace = Trace::new();
        let target = self.target.at_offset(self.options.shift(case));
        let started = Instant::now();
        let context = Context::new(target.clone(), trace.clone())
            .patient(self.options.patience)
            .beside(Arc::clone(&self.others));
        let status = match timeout(limit, case.run(context)).await {
            Ok(Ok(())) if case.is_hostile => match health::serves(&target).await {
                Ok(()) => Status::Passed,
                Err(failure) => Status::failed(&format!("afterwards {failure}"), &trace),
            },
            Ok(Ok(())) => Status::Passed,
            Ok(Err(failure)) => self.failed(&target, &failure, &trace).await,
            Err(_) => {
                let limit = format!("{limit:?}");
                self.failed(&target, &Failure::unfinished(limit), &trace)
                    .await
            }
        };
        let mut outcome = Outcome::new(case, status);
        outcome.took_millis = millis(started.elapsed());
        outcome
    }

    /// A failure is the case's, unless the server has stopped serving anybody.
    async fn failed(&self, target: &Target, failure: &Failure, trace: &Trace) -> Status {
        if failure.kind() != Kind::Unmet
            && let Err(why) = health::serves(target).await
        {
            let reason = format!("the server no longer serves a fresh client: {why}");
            let _ = self.is_gone.set(reason);
        }
        Status::failed(&failure.to_string(), trace)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
