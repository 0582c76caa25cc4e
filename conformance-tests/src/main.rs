//! The command line: run the suite against a URL and write a report.

mod arguments;

use std::process::ExitCode;

use arguments::{Arguments, Task};
use conformance_tests::{Report, run};

/// Some MUST case failed or could not run.
const NOT_CONFORMANT: u8 = 1;

/// The run could not begin.
const NOT_RUN: u8 = 2;

fn main() -> ExitCode {
    let done = Arguments::parse(std::env::args().skip(1)).and_then(|arguments| perform(&arguments));
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(NOT_CONFORMANT),
        Err(message) => {
            eprintln!("conformance-tests: {message}");
            ExitCode::from(NOT_RUN)
        }
    }
}

/// Says whether the server conforms.
fn perform(arguments: &Arguments) -> Result<bool, String> {
    match &arguments.task {
        Task::Help => {
            arguments.publish(arguments::HELP)?;
            Ok(true)
        }
        Task::Compare(files) => {
            let mut reports: Vec<Report> = Vec::new();
            for report in files.iter().map(|file| read(file)) {
                let report = report?;
                match reports.iter_mut().find(|one| one.server == report.server) {
                    Some(same) => same.add(report),
                    None => reports.push(report),
                }
            }
            arguments.publish(&Report::compare(&reports))?;
            Ok(true)
        }
        Task::Run { url, options } => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| error.to_string())?;
            let report = runtime
                .block_on(run(url, options.clone()))
                .map_err(|error| error.to_string())?;
            let is_conformant = report.is_conformant();
            let report = match &arguments.name {
                Some(name) => report.named(name),
                None => report,
            };
            let report = match arguments.is_steady {
                true => report.steady(),
                false => report,
            };
            arguments.publish(&report.to_format(arguments.format))?;
            Ok(is_conformant)
        }
    }
}

fn read(file: &str) -> Result<Report, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    Report::parse(&text).map_err(|error| format!("{file}: {error}"))
}
