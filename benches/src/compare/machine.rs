//! Where a report comes from.

use std::fs;
use std::process::Command;

/// Processor, cores, kernel, tools, and how busy the machine was before the run.
pub(crate) fn describe() -> String {
    let processor = fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            line.split_once(": ").map(|(_, name)| name.to_owned())
        })
        .unwrap_or_else(|| "unknown processor".to_owned());
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let load = fs::read_to_string("/proc/loadavg")
        .ok()
        .and_then(|text| text.split(' ').next().map(str::to_owned))
        .unwrap_or_default();
    format!(
        "{processor}, {cores} cores, {} {}, {}, node {}; load average before the run {load}",
        std::env::consts::OS,
        output("uname", "-r"),
        output("rustc", "-V"),
        output("node", "-v"),
    )
}

fn output(program: &str, argument: &str) -> String {
    Command::new(program)
        .arg(argument)
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "?".to_owned(), |text| text.trim().to_owned())
}
