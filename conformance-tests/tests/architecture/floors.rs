//! Floors: every folder is one or part of one, and what it uses lies below it or in the folder itself. Folders of one
//! floor do not know each other.
//!
//! A new file at the top, or a new folder, gets its floor in the lists below. What still breaks the rule stands in
//! `rising` and `ROUND`; the numbers are exact, so that they can only become smaller and the lists end empty.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::sources::{Arrows, Sources, rings};

/// From which room to which something rises, and what.
type Rises = BTreeMap<(String, String), Vec<String>>;

/// What is built in floors.
struct House {
    /// The crate that it is part of.
    package: &'static str,
    /// Its folder inside the crate's `src`; empty for all of it.
    folder: &'static str,
    /// The rooms of each floor, the lowest floor first. A room is a folder, or a file at the top.
    floors: &'static [&'static [&'static str]],
    /// Files that stand elsewhere than in the room they belong to, and that room. The longest name counts.
    misplaced: &'static [(&'static str, &'static str)],
    /// From which room to which arrows still rise, and how many.
    rising: &'static [(&'static str, &'static str, usize)],
}

const SOCKETIO: House = House {
    package: "socketio",
    folder: "",
    floors: &[
        &[
            "atomic",
            "clock",
            "error",
            "id",
            "lock",
            "queue",
            "running",
            "time_limit",
            "trace",
        ],
        &["codec"],
        &["authority", "event", "fuzzing"],
        &["proto"],
        &["cluster"],
        &["live"],
        &["connection", "sending"],
        &["facade"],
        &["lib", "testing"],
    ],
    misplaced: &[],
    rising: &[],
};

const ENGINE: House = House {
    package: "engineio",
    folder: "server",
    floors: &[
        &["stream", "atomic", "clock", "lock", "random", "tasks"],
        &["hub"],
        &["session"],
        &["transport", "drain"],
        &["exchange"],
        &["door"],
        &["engine"],
        &["mod"],
    ],
    misplaced: &[],
    rising: &[],
};

const AUTH: House = House {
    package: "auth",
    folder: "",
    floors: &[
        &["base", "lenient_json", "rejection", "subject"],
        &["grant"],
        &["claims", "fetch", "presented", "revocation", "wire"],
        &["authenticator", "limits"],
        &["authorize"],
        &["policy"],
        &["state_machine"],
        &["audit"],
        &["jwt", "opaque"],
        &["lib", "testing"],
    ],
    misplaced: &[],
    rising: &[],
};

const HOUSES: [&House; 3] = [&SOCKETIO, &ENGINE, &AUTH];

/// Where files may lead to each other in a circle: the folder, and how many of its files at most.
///
/// A server's live objects hold each other, and so do an engine's session and its handle. The methods of
/// `Authenticator` return its combinators, which are authenticators.
const MAY_BE_ROUND: [(&str, &str, usize); 3] = [
    ("auth", "authenticator", 7),
    ("engineio", "server/session", 4),
    ("socketio", "live", 9),
];

/// The circles that are still elsewhere, by the number of their files.
const ROUND: [(&str, &[usize]); 4] = [
    ("engineio", &[]),
    ("auth", &[]),
    ("socketio", &[]),
    ("benches", &[8, 4]),
];

impl House {
    /// The name of a file of this house, without its ending.
    fn name(&self, file: &Path) -> Option<String> {
        let inside = file.strip_prefix(self.folder).ok()?;
        Some(inside.with_extension("").to_string_lossy().into_owned())
    }

    /// The room that a name belongs to.
    fn room<'a>(&self, name: &'a str) -> &'a str
    where
        'static: 'a,
    {
        let is_of = |whole: &str| {
            let rest = name.strip_prefix(whole);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let moved = self.misplaced.iter().filter(|(from, _)| is_of(from));
        match moved.max_by_key(|(from, _)| from.len()) {
            Some((_, room)) => room,
            None => name.split('/').next().unwrap_or(name),
        }
    }

    fn floor(&self, room: &str) -> Option<usize> {
        self.floors.iter().position(|rooms| rooms.contains(&room))
    }

    /// What breaks the rule, and which rises there are: from, to, and by what.
    fn judge(&self, files: &BTreeSet<PathBuf>, arrows: &Arrows) -> (Vec<String>, Rises) {
        let mut problems = Vec::new();
        let mut rises = Rises::new();
        let names: Vec<String> = files.iter().filter_map(|file| self.name(file)).collect();
        for name in &names {
            if self.floor(self.room(name)).is_none() {
                problems.push(format!("{name} is on no floor"));
            }
        }
        for (from, _) in self.misplaced {
            if !names.iter().any(|name| name == from) {
                problems.push(format!(
                    "{from} is not there any more: delete it from `misplaced`"
                ));
            }
        }
        for ((from, to), path) in arrows {
            let (Some(from), Some(to)) = (self.name(from), self.name(to)) else {
                continue;
            };
            let (room, used) = (self.room(&from), self.room(&to));
            let (Some(floor), Some(below)) = (self.floor(room), self.floor(used)) else {
                continue;
            };
            // Files at the top of the same floor stand in the same folder.
            let are_beside = floor == below && from == room && to == used;
            if room != used && below >= floor && !are_beside {
                let rise = rises.entry((room.to_owned(), used.to_owned())).or_default();
                rise.push(format!("{from} -> {to} ({path})"));
            }
        }
        (problems, rises)
    }
}

/// What is wrong with the rises, given how many may still be there.
fn compare_rises(rises: &Rises, allowed: &[(&str, &str, usize)]) -> Vec<String> {
    let mut problems = Vec::new();
    for ((from, to), by) in rises {
        let known = allowed
            .iter()
            .find(|known| known.0 == from && known.1 == to);
        let number = known.map_or(0, |known| known.2);
        if number != by.len() {
            let what = if by.len() > number {
                "rise"
            } else {
                "are left: lower the number"
            };
            problems.push(format!(
                "(\"{from}\", \"{to}\", {}) {what}, {number} are listed:\n    {}",
                by.len(),
                by.join("\n    ")
            ));
        }
    }
    for (from, to, _) in allowed {
        if !rises.contains_key(&((*from).to_owned(), (*to).to_owned())) {
            problems.push(format!(
                "nothing of {from} uses {to} any more: delete the line"
            ));
        }
    }
    problems
}

#[test]
fn what_a_folder_uses_is_below_it() {
    let mut problems = Vec::new();
    for house in HOUSES {
        let sources = Sources::of(house.package);
        let files = sources
            .modules
            .iter()
            .map(|module| module.file.clone())
            .collect();
        let (misplaced, rises) = house.judge(&files, &sources.arrows());
        let found = misplaced
            .into_iter()
            .chain(compare_rises(&rises, house.rising));
        problems.extend(found.map(|problem| format!("{}: {problem}", house.package)));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn only_live_state_is_round() {
    let mut problems = Vec::new();
    for (package, known) in ROUND {
        let (mut sizes, mut told) = (Vec::new(), Vec::new());
        for ring in rings(&Sources::of(package).arrows()) {
            let is_fine = MAY_BE_ROUND.iter().any(|(whose, folder, most)| {
                *whose == package
                    && ring.len() <= *most
                    && ring.iter().all(|file| file.starts_with(folder))
            });
            if !is_fine {
                sizes.push(ring.len());
                told.push(format!("{ring:?}"));
            }
        }
        sizes.sort_unstable_by(|one, other| other.cmp(one));
        if sizes != known {
            problems.push(format!(
                "{package}: {sizes:?} where {known:?} are listed:\n    {}",
                told.join("\n    ")
            ));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_rise_a_neighbour_and_a_file_without_a_floor_are_told() {
    let house = House {
        package: "a house",
        folder: "",
        floors: &[&["stone", "sand"], &["left", "right"]],
        misplaced: &[("old", "left"), ("gone", "left")],
        rising: &[
            ("stone", "left", 1),
            ("sand", "right", 1),
            ("right", "left", 1),
        ],
    };
    let file = |name: &str| PathBuf::from(name).with_extension("rs");
    let names = [
        "stone",
        "sand",
        "left/one",
        "left/other",
        "right/one",
        "old",
        "lost",
    ];
    let uses = [
        ("left/one", "stone"),
        ("left/one", "left/other"),
        ("stone", "sand"),
        ("old", "left/one"),
        ("stone", "left/one"),
        ("stone", "old"),
        ("right/one", "left/other"),
    ];
    let arrows: Arrows = uses
        .into_iter()
        .map(|(from, to)| ((file(from), file(to)), String::new()))
        .collect();
    let (misplaced, rises) = house.judge(&names.into_iter().map(file).collect(), &arrows);
    assert_eq!(
        misplaced,
        [
            "lost is on no floor",
            "gone is not there any more: delete it from `misplaced`"
        ]
    );
    assert_eq!(
        compare_rises(&rises, house.rising),
        [
            "(\"stone\", \"left\", 2) rise, 1 are listed:\n    stone -> left/one ()\n    stone -> old ()",
            "nothing of sand uses right any more: delete the line"
        ]
    );
}

#[test]
fn a_circle_is_found_and_a_line_is_none() {
    let uses = [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "e")];
    let arrows: Arrows = uses
        .into_iter()
        .map(|(from, to)| ((from.into(), to.into()), String::new()))
        .collect();
    let ring: BTreeSet<PathBuf> = ["a", "b", "c"].into_iter().map(PathBuf::from).collect();
    assert_eq!(rings(&arrows), [ring]);
}
