//! Whether a server with many clients does for each what one with few does: runs the example of the same name.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::compare::report::digits;
use crate::compare::{machine, note};
use crate::workspace::{build_measured, measured};

/// Sizes of the counted runs.
const COUNTED: [usize; 2] = [1_000, 10_000];

/// Units of each kind of work in a counted run.
const COUNTED_UNITS: usize = 20_000;

/// How many times the instructions at the smaller size those at the larger one may be: deeper trees, no more.
const GROWTH_MAX: f64 = 1.2;

/// Resident memory that a million sessions may take, in MiB.
const MILLION_MAX: f64 = 2048.0;

/// The function whose calls are counted, as valgrind names it.
const WORK: &str = "scale::crowd::Crowd::work";

/// One line of what the example prints.
struct Line {
    sessions: usize,
    resident: f64,
    work: String,
    units: u64,
    nanos: f64,
    allocations: f64,
}

impl Line {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        Some(Self {
            sessions: words.next()?.parse().ok()?,
            resident: words.next()?.parse().ok()?,
            work: words.next()?.to_owned(),
            units: words.next()?.parse().ok()?,
            nanos: words.next()?.parse().ok()?,
            allocations: words.next()?.parse().ok()?,
        })
    }
}

fn run(command: &mut Command) -> Result<Vec<Line>, Box<dyn Error>> {
    let output = command.stderr(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(format!("{command:?} failed").into());
    }
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().filter_map(Line::parse).collect())
}

fn build() -> Result<(), Box<dyn Error>> {
    build_measured("benches", &["--example", "scale"])
}

/// Grows a server from 1,000 sessions to so many, ten times as many at each step, and prints what each kind of work took.
///
/// # Errors
///
/// When the example cannot be built, or fails.
pub fn scale(most: usize) -> Result<(), Box<dyn Error>> {
    build()?;
    let machine = machine::describe();
    let mut command = Command::new(measured("examples/scale"));
    let lines = run(command.args(["1000", &most.to_string()]))?;
    writeln!(std::io::stdout(), "{machine}\n\n{}", render(&lines))?;
    Ok(())
}

type OfLine = fn(&Line) -> f64;

/// As Markdown.
fn render(lines: &[Line]) -> String {
    let mut sizes: Vec<(usize, f64)> = lines
        .iter()
        .map(|line| (line.sessions, line.resident))
        .collect();
    sizes.dedup_by_key(|size| size.0);
    let mut out = "| sessions |".to_owned();
    for (size, _) in &sizes {
        let _ = write!(out, " {size} |");
    }
    let _ = write!(
        out,
        " last / first |\n|---|{}\n",
        "---|".repeat(sizes.len() + 1)
    );
    let mut works: Vec<&str> = Vec::new();
    for line in lines {
        if !works.contains(&&*line.work) {
            works.push(&line.work);
        }
    }
    let kinds: [(&str, OfLine, &str); 2] = [
        ("µs", |line| line.nanos / 1000.0, ""),
        ("", |line| line.allocations, ", allocations"),
    ];
    for work in works {
        let of_work = || lines.iter().filter(|line| line.work == work);
        for (unit, of, what) in kinds {
            let _ = write!(out, "| {work}{what} |");
            for line in of_work() {
                let _ = write!(out, " {} {unit} |", digits(of(line)));
            }
            let (first, last) = (of_work().next(), of_work().next_back());
            let ratio = first.zip(last).map(|(first, last)| of(last) / of(first));
            let _ = writeln!(out, " {:.2} |", ratio.unwrap_or_default());
        }
    }
    let _ = write!(out, "| resident, MiB |");
    for (_, resident) in &sizes {
        let _ = write!(out, " {resident:.0} |");
    }
    let verdict = match sizes.last() {
        Some((1_000_000, resident)) if *resident <= MILLION_MAX => "reached",
        Some((1_000_000, _)) => "**missed**",
        _ => "–",
    };
    let _ = write!(
        out,
        " at most {MILLION_MAX} for a million: {verdict} |\n\n\
         Processor time, clients in memory included. What is flat is what is done; that memory is slower than caches is in the times."
    );
    out
}

/// Counts the instructions of each kind of work at two sizes under valgrind, prints them, and fails where they grow.
///
/// # Errors
///
/// When a count grows by more than a fifth, valgrind is not installed, or the example cannot be built or fails.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub fn scale_instructions() -> Result<(), Box<dyn Error>> {
    build()?;
    let mut counts = Vec::new();
    for size in COUNTED {
        note(&format!("{size} sessions"));
        counts.push(count(size)?);
    }
    let mut grown = Vec::new();
    let [few, many] = &*counts else {
        return Err("there are two sizes".into());
    };
    for ((line, few), (other, many)) in few.iter().zip(many) {
        let (few, many) = (
            *few as f64 / line.units as f64,
            *many as f64 / other.units as f64,
        );
        let ratio = many / few;
        let [small, large] = COUNTED;
        writeln!(
            std::io::stdout(),
            "{:14} {few:6.0} at {small}, {many:6.0} at {large}: {ratio:.2} of at most {GROWTH_MAX}",
            line.work
        )?;
        if ratio > GROWTH_MAX {
            grown.push(&*line.work);
        }
    }
    if grown.is_empty() {
        Ok(())
    } else {
        Err(format!("more clients cost more each: {}", grown.join(", ")).into())
    }
}

/// The instructions of each kind of work at one size.
fn count(size: usize) -> Result<Vec<(Line, u64)>, Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("benches-scale-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let counted = count_in(&folder, size);
    std::fs::remove_dir_all(&folder)?;
    counted
}

fn count_in(folder: &Path, size: usize) -> Result<Vec<(Line, u64)>, Box<dyn Error>> {
    let out = folder.join("out");
    let mut command = Command::new("valgrind");
    command
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(format!("--toggle-collect={WORK}"))
        .arg(format!("--dump-after={WORK}"))
        .arg(measured("examples/scale"))
        .args([size, size, COUNTED_UNITS].map(|number| number.to_string()));
    let lines = run(&mut command)?;
    // Each kind of work is called to warm up, and then to be counted; each call has a file.
    let mut counts = Vec::new();
    for (number, line) in lines.into_iter().enumerate() {
        let text = std::fs::read_to_string(folder.join(format!("out.{}", 2 * number + 2)))?;
        let summary = text.lines().find_map(|line| line.strip_prefix("summary: "));
        let count = summary.ok_or("valgrind does not say what it collected")?;
        counts.push((line, count.trim().parse()?));
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_column_for_each_size_and_says_how_much_the_last_is_more() {
        let lines = ["1000 8 event 10 2000 3", "1000000 3000 event 10 5000 3"];
        let lines: Vec<Line> = lines.into_iter().filter_map(Line::parse).collect();
        let table = render(&lines);
        assert!(table.contains("| sessions | 1000 | 1000000 |"), "{table}");
        assert!(
            table.contains("| event | 2.00 µs | 5.00 µs | 2.50 |"),
            "{table}"
        );
        assert!(table.contains("**missed**"), "{table}");
    }
}
