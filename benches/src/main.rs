//! The command of this package.
//!
//!     cargo run --release -p benches -- compare
//!     cargo run --release -p benches -- compare --only echo16x4,connect --servers ours,floor --rounds 9
//!     cargo run --release -p benches -- load --scenario echo16x4 --address 127.0.0.1:3000 --pid 4711
//!     cargo run --release -p benches -- list
//!
//! `compare` builds and starts every server, runs the scenarios with the servers taking turns, and prints medians,
//! ratios and the machine. `instructions` counts those of user space under valgrind, and
//! `budgets` fails where ours takes more than it may. `cluster` measures two servers behind one Redis,
//! `storm` clients who all come back at once, `scale` a server that grows to a million sessions, and `scale-instructions`
//! fails where more clients cost more each. `load` plays one scenario against a server that is running already.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use benches::cluster::{self, Pair, cluster};
use benches::compare::{
    Options, SCENARIOS, ServerKind, check_budgets, compare, instructions, token,
};
use benches::load::{self, Dialect, Target, trusting};
use benches::process::Process;
use benches::scale::{scale, scale_instructions};
use benches::storm::{self, Algorithm, storm};
use benches::sys;

const USAGE: &str = "usage: benches compare [--only NAME,..] [--servers NAME,..] [--rounds N] [--millis N] [--profile socket|engine]
       benches load --scenario NAME --address IP:PORT --pid PID [--millis N] [--profile socket|engine] [--auth JSON] [--tls ROOT.pem]
       benches instructions [--only NAME,..] [--servers NAME,..] [--profile socket|engine]
       benches budgets
       benches cluster [--only NAME,..] [--members N] [--rounds N] [--millis N]
       benches scale [--most N]
       benches scale-instructions
       benches storm [--only HS256,..] [--clients N] [--returns N]
       benches token SECRET
       benches list";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = arguments.split_first().ok_or(USAGE)?;
    match command.as_str() {
        "compare" => compare(&parse_compare(rest)?)?,
        "load" => load_one(rest)?,
        "instructions" => count_instructions(&parse_compare(rest)?)?,
        "budgets" => check_budgets()?,
        "cluster" => cluster(&parse_cluster(rest)?)?,
        "scale" => scale(parse_most(rest)?)?,
        "scale-instructions" => scale_instructions()?,
        "storm" => storm(&parse_storm(rest)?)?,
        "token" => say(&token(rest.first().ok_or(USAGE)?))?,
        "list" => {
            for scenario in &SCENARIOS {
                say(&format!("{:14} {}", scenario.name, scenario.title))?;
            }
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
}

fn say(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}

/// `--name value` pairs.
fn pairs(arguments: &[String]) -> Result<impl Iterator<Item = (&str, &str)>, Box<dyn Error>> {
    let pairs = arguments.chunks(2);
    if pairs.clone().any(|pair| pair.len() != 2) {
        return Err(USAGE.into());
    }
    Ok(pairs.filter_map(|pair| match pair {
        [name, value] => Some((name.as_str(), value.as_str())),
        _ => None,
    }))
}

fn parse_dialect(name: &str) -> Result<Dialect, Box<dyn Error>> {
    match name {
        "socket" => Ok(Dialect::Socket),
        "engine" => Ok(Dialect::Engine),
        _ => Err(format!("{name} is no profile").into()),
    }
}

fn parse_compare(arguments: &[String]) -> Result<Options, Box<dyn Error>> {
    let mut options = Options::default();
    for (name, value) in pairs(arguments)? {
        match name {
            "--only" => {
                options.only = value.split(',').map(str::to_owned).collect();
                let is_known = |name: &&String| SCENARIOS.iter().any(|known| known.name == **name);
                if let Some(unknown) = options.only.iter().find(|name| !is_known(name)) {
                    return Err(format!("there is no scenario {unknown}; see `list`").into());
                }
            }
            "--servers" => {
                options.servers = value
                    .split(',')
                    .map(|name| ServerKind::parse(name).ok_or(format!("{name} is no server")))
                    .collect::<Result<_, _>>()?;
            }
            "--rounds" => options.rounds = value.parse::<usize>()?.max(1),
            "--millis" => options.time = Duration::from_millis(value.parse()?),
            "--profile" => options.dialect = parse_dialect(value)?,
            _ => return Err(USAGE.into()),
        }
    }
    Ok(options)
}

fn parse_cluster(arguments: &[String]) -> Result<cluster::Options, Box<dyn Error>> {
    let mut options = cluster::Options::default();
    for (name, value) in pairs(arguments)? {
        match name {
            "--only" => {
                options.pairs = value
                    .split(',')
                    .map(|name| Pair::parse(name).ok_or(format!("there is no pair {name}")))
                    .collect::<Result<_, _>>()?;
            }
            "--members" => options.members = value.parse::<usize>()?.max(1),
            "--rounds" => options.rounds = value.parse::<usize>()?.max(1),
            "--millis" => options.time = Duration::from_millis(value.parse()?),
            _ => return Err(USAGE.into()),
        }
    }
    Ok(options)
}

fn parse_most(arguments: &[String]) -> Result<usize, Box<dyn Error>> {
    let mut most = 1_000_000;
    for (name, value) in pairs(arguments)? {
        match name {
            "--most" => most = value.parse()?,
            _ => return Err(USAGE.into()),
        }
    }
    Ok(most)
}

fn parse_storm(arguments: &[String]) -> Result<storm::Options, Box<dyn Error>> {
    let mut options = storm::Options::default();
    for (name, value) in pairs(arguments)? {
        match name {
            "--only" => {
                options.algorithms = value
                    .split(',')
                    .map(|name| Algorithm::parse(name).ok_or(format!("there is no {name}")))
                    .collect::<Result<_, _>>()?;
            }
            "--clients" => options.clients = value.parse::<usize>()?.max(1),
            "--returns" => options.returns = value.parse::<usize>()?.max(1),
            _ => return Err(USAGE.into()),
        }
    }
    Ok(options)
}

/// A line for each scenario and server; the small echo unless others are asked for.
fn count_instructions(options: &Options) -> Result<(), Box<dyn Error>> {
    let is_wanted = |name: &str| match options.only.as_slice() {
        [] => name == "echo16x4",
        only => only.iter().any(|wanted| wanted == name),
    };
    // Else it would count what an earlier build left there.
    for server in &options.servers {
        server.build()?;
    }
    for scenario in SCENARIOS.iter().filter(|scenario| is_wanted(scenario.name)) {
        for server in &options.servers {
            let count = instructions(*server, scenario, options.dialect)?;
            say(&format!("{} {}: {count:.0}", scenario.name, server.name()))?;
        }
    }
    Ok(())
}

fn load_one(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let mut scenario = None;
    let mut address = None;
    let mut process = None;
    let mut time = Options::default().time;
    let mut dialect = Dialect::Socket;
    let mut auth = String::new();
    let mut tls = None;
    for (name, value) in pairs(arguments)? {
        match name {
            "--auth" => auth = value.to_owned(),
            "--tls" => tls = Some(trusting(Path::new(value))?),
            "--scenario" => scenario = SCENARIOS.iter().find(|known| known.name == value),
            "--address" => address = Some(value.parse()?),
            "--pid" => process = Some(Process(value.parse()?)),
            "--millis" => time = Duration::from_millis(value.parse()?),
            "--profile" => dialect = parse_dialect(value)?,
            _ => return Err(USAGE.into()),
        }
    }
    let target = Target {
        address: address.ok_or(USAGE)?,
        process: process.ok_or(USAGE)?,
        dialect,
        auth,
        tls,
        deflate: None,
        proxy: None,
    };
    sys::raise_descriptor_limit()?;
    let sample = load::play(&target, scenario.ok_or(USAGE)?.scenario, time)?;
    say(&format!(
        "{} units, {:.3} µs of the server for each, p50 {:?}, p99 {:?}, resident {:?}",
        sample.units,
        sample.nanos_per_unit() / 1000.0,
        sample.latencies.percentile(50),
        sample.latencies.percentile(99),
        sample.resident,
    ))?;
    Ok(())
}
