//! Side by side: the servers take turns at every scenario, so that whatever else the machine does meets all alike.

mod budgets;
mod instructions;
mod layer;
pub(crate) mod machine;
mod nginx;
mod options;
pub(crate) mod report;
mod scenarios;
mod servers;
mod token;

use std::error::Error;
use std::io::Write as _;

pub use budgets::check_budgets;
pub use instructions::instructions;
pub use options::Options;
pub use scenarios::{SCENARIOS, Spec};
pub use servers::ServerKind;
pub use token::token;

use crate::load::{self, Sample};
use crate::sys;
use report::Report;
use servers::Running;
use token::SECRET;

/// The core that servers run on.
pub(crate) const SERVER_CORE: usize = 0;

/// The core that the load comes from.
pub(crate) const LOAD_CORE: usize = 1;

/// Builds the servers, runs the scenarios and prints the report.
///
/// # Errors
///
/// When the machine has no second core, or nothing can be written. A server that cannot be built or started, or
/// that fails a scenario, is left out of it, and standard error says why.
pub fn compare(options: &Options) -> Result<(), Box<dyn Error>> {
    sys::raise_descriptor_limit()?;
    let mut servers = Vec::new();
    for kind in &options.servers {
        match kind.build() {
            Ok(()) => servers.push(*kind),
            Err(why) => note(&format!("without {}: {why}", kind.name())),
        }
    }
    let machine = machine::describe();
    let mut report = Report::new(servers.clone());
    for spec in SCENARIOS.iter().filter(|spec| spec.is_wanted(options)) {
        note(spec.title);
        run_scenario(options, spec, &servers, &mut report)?;
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", report.render(options, &machine))?;
    Ok(())
}

pub(crate) fn note(line: &str) {
    // Progress; nobody depends on it.
    let _ = writeln!(std::io::stderr(), "· {line}");
}

fn run_scenario(
    options: &Options,
    spec: &'static Spec,
    servers: &[ServerKind],
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    let mut running = Vec::new();
    for kind in servers.iter().filter(|kind| spec.suits(**kind)) {
        match start(options, spec, *kind) {
            Ok(server) => running.push(Some(server)),
            Err(why) => note(&format!("without {}: {why}", kind.name())),
        }
    }
    for round in 0..options.rounds {
        for place in &mut running {
            // Memory that an earlier round left behind is not this round's.
            if spec.needs_fresh_server()
                && round > 0
                && let Some(server) = place.take()
            {
                let kind = server.kind;
                drop(server);
                *place = Some(start(options, spec, kind)?);
            }
            let Some(server) = place else { continue };
            let kind = server.kind;
            match play(options, spec, server) {
                Ok(sample) => report.add(spec, kind, sample),
                Err(failure) => {
                    note(&format!("{} fails {}: {failure}", kind.name(), spec.name));
                    *place = None;
                }
            }
        }
    }
    Ok(())
}

fn start(options: &Options, spec: &Spec, kind: ServerKind) -> Result<Running, Box<dyn Error>> {
    if kind.has_threads() {
        sys::pin_to_all(&[SERVER_CORE, LOAD_CORE])?;
    } else {
        sys::pin_to(SERVER_CORE)?;
    }
    let started = kind.start(spec.profile(options.dialect), spec.layer, SECRET);
    sys::pin_to(LOAD_CORE)?;
    started.map_err(|error| format!("{} does not start: {error}", kind.name()).into())
}

fn play(options: &Options, spec: &Spec, server: &Running) -> Result<Sample, load::Failure> {
    let target = server.target(spec.layer, spec.auth(), options.dialect)?;
    load::play(&target, spec.scenario, options.time)
}
