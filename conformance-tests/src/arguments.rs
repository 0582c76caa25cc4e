//! The command line's arguments.

use std::io::Write as _;

use conformance_tests::{Format, Options, Profile};

pub(crate) const HELP: &str = "\
Checks an Engine.IO or Socket.IO server against the protocol's rules.

    conformance-tests --url http://localhost:3000 [options]
    conformance-tests --cluster http://localhost:3001,http://localhost:3002 [options]
    conformance-tests --compare a.json --compare b.json --out report.html

The server must behave as spec/FIXTURE.md says for the profile.

    --url URL        http://host:port, optionally with the server's path
    --profile NAME   engine (default), engine-eio3, socket, socket-eio3, socket-msgpack, matrix, auth, auth-eio3
    --cluster URL,URL[,...]
                     the rules of clusters, from each of these nodes to each other; spec/FIXTURE-CLUSTER.md says how they
                     behave
    --only PREFIX    only cases whose rule or id starts so; may be repeated
    --format NAME    table (default), json, junit, html
    --out FILE       write there instead of to standard output
    --name TEXT      what the report calls the server
    --pid N          watch that process: memory and descriptors must come back
    --parallel N     cases at a time (default 24)
    --offset N       only what the matrix profile wants of its Nth server, counted from 0; the URL is that server's own
    --steady         a report without times, ports and random ids, to be kept and compared with later ones
    --quick          leave out the few cases that wait ten seconds and more
    --without-polling
                     leave out every case that polls
    --compare FILE   a report in JSON, to be compared with others on one page; may be repeated, reports of the
                     same name are one server's

Exit status: 0 when every MUST case passed, 1 when one did not, 2 when the run could not begin.
";

/// What to do.
#[derive(Debug)]
pub(crate) enum Task {
    Help,
    Run { url: String, options: Options },
    Compare(Vec<String>),
}

/// The whole command line.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) task: Task,
    pub(crate) format: Format,
    pub(crate) name: Option<String>,
    /// Without what differs from run to run.
    pub(crate) is_steady: bool,
    out: Option<String>,
}

impl Arguments {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut url, mut profile, mut format) = (None, Profile::Engine, Format::Table);
        let mut nodes: Option<String> = None;
        let (mut only, mut compared) = (Vec::new(), Vec::new());
        let (mut out, mut name, mut pid, mut parallel, mut offset) = (None, None, None, None, None);
        let (mut is_help, mut is_without_polling, mut is_quick) = (false, false, false);
        let mut is_steady = false;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--help" | "-h" => is_help = true,
                "--url" => url = Some(value()?),
                "--cluster" => nodes = Some(value()?),
                "--profile" => {
                    let value = value()?;
                    profile =
                        Profile::named(&value).ok_or_else(|| format!("no profile {value}"))?;
                }
                "--only" => only.push(value()?),
                "--format" => {
                    let value = value()?;
                    format = Format::named(&value).ok_or_else(|| format!("no format {value}"))?;
                }
                "--out" => out = Some(value()?),
                "--name" => name = Some(value()?),
                "--pid" => pid = Some(number(&value()?)?),
                "--parallel" => parallel = Some(number(&value()?)?),
                "--offset" => offset = Some(number(&value()?)?),
                "--steady" => is_steady = true,
                "--quick" => is_quick = true,
                "--without-polling" => is_without_polling = true,
                "--compare" => compared.push(value()?),
                _ => return Err(format!("unknown option {word}; --help lists them")),
            }
        }
        let mut options = Options::new(profile);
        if let Some(nodes) = nodes {
            let mut nodes = nodes.split(',').map(str::to_owned);
            url = nodes.next();
            let others: Vec<String> = nodes.collect();
            if others.is_empty() {
                return Err("--cluster needs the URLs of two nodes or more".to_owned());
            }
            options = Options::cluster(others);
        }
        options = only.into_iter().fold(options, Options::only);
        if let Some(pid) = pid {
            options = options.pid(pid);
        }
        if let Some(parallel) = parallel {
            options = options.parallel(parallel);
        }
        if let Some(offset) = offset {
            options = options.on_port_offset(offset);
        }
        if is_quick {
            options = options.quick();
        }
        if is_without_polling {
            options = options.without_polling();
        }
        let task = match (is_help, url) {
            (true, _) => Task::Help,
            (false, Some(url)) => Task::Run { url, options },
            (false, None) if !compared.is_empty() => Task::Compare(compared),
            (false, None) => return Err("--url is missing; --help says more".to_owned()),
        };
        Ok(Self {
            task,
            format,
            name,
            is_steady,
            out,
        })
    }

    /// Writes to the file, or to standard output.
    pub(crate) fn publish(&self, text: &str) -> Result<(), String> {
        match &self.out {
            Some(file) => std::fs::write(file, text).map_err(|error| format!("{file}: {error}")),
            None => std::io::stdout()
                .write_all(text.as_bytes())
                .map_err(|error| error.to_string()),
        }
    }
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse()
        .map_err(|_| format!("{text} is no number that can be used here"))
}
