//! How many instructions a unit of a scenario may take. Past a budget the command fails; the aim is what is wanted.

use std::error::Error;
use std::io::Write as _;

use super::instructions::instructions;
use super::scenarios::SCENARIOS;
use super::servers::ServerKind;
use crate::load::Dialect;

/// The bounds of one scenario, in instructions of user space for each unit: profile `measured`, glibc's allocator, valgrind
/// on x86-64. Counts of two runs differ by less than one in a hundred.
struct Budget {
    scenario: &'static str,
    /// What was reached, and one or two in a hundred; of a broadcast, whose counts differ more, a little more.
    most: f64,
    /// What is wanted, reached or not.
    aim: f64,
}

const BUDGETS: [Budget; 7] = [
    Budget {
        scenario: "echo16x4",
        most: 2_470.0,
        aim: 2_200.0,
    },
    Budget {
        scenario: "echo16x1",
        most: 4_120.0,
        aim: 4_200.0,
    },
    Budget {
        scenario: "binary128x4",
        most: 3_860.0,
        aim: 4_400.0,
    },
    Budget {
        scenario: "broadcast",
        most: 320.0,
        aim: 360.0,
    },
    Budget {
        scenario: "connect",
        most: 31_300.0,
        aim: 29_000.0,
    },
    Budget {
        scenario: "connect-jwt",
        most: 68_600.0,
        // Of the count, 17,000 are software hashes: valgrind has no instructions for SHA.
        aim: 56_000.0,
    },
    Budget {
        scenario: "polling",
        most: 23_800.0,
        aim: 23_000.0,
    },
];

/// Counts every scenario that has a budget, on the engine's own listener, and prints a line for each.
///
/// # Errors
///
/// When a count is past its budget, valgrind is not installed, or the server cannot be built or started.
pub fn check_budgets() -> Result<(), Box<dyn Error>> {
    // Else it would count what an earlier build left there.
    ServerKind::Ours.build()?;
    let mut past = Vec::new();
    for Budget {
        scenario,
        most,
        aim,
    } in &BUDGETS
    {
        let spec = SCENARIOS.iter().find(|spec| spec.name == *scenario);
        let spec = spec.ok_or(format!("there is no scenario {scenario}"))?;
        let count = instructions(ServerKind::Ours, spec, Dialect::Socket)?;
        writeln!(
            std::io::stdout(),
            "{scenario:12} {count:7.0} of {most:6.0}, aim {aim:6.0}"
        )?;
        if count > *most {
            past.push(*scenario);
        }
    }
    if past.is_empty() {
        Ok(())
    } else {
        Err(format!("past the budget: {}", past.join(", ")).into())
    }
}
