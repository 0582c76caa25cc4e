//! Floors: every folder is one or part of one, and what it uses lies below it or in the folder itself. Folders of one
//! floor do not know each other.
//!
//! A new file at the top, or a new folder, gets its floor in the lists below. There are no exceptions.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::sources::{Arrows, Sources, rings};

/// What is built in floors.
struct House {
    /// The crate that it is part of.
    package: &'static str,
    /// Its folder inside the crate's `src`; empty for all of it.
    folder: &'static str,
    /// The rooms of each floor, the lowest floor first. A room is a folder, or a file at the top.
    floors: &'static [&'static [&'static str]],
}

const SOCKETIO: House = House {
    package: "socketio",
    folder: "",
    floors: &[
        &[
            "atomic",
            "clock",
            "few",
            "id",
            "lock",
            "running",
            "tables",
            "time_limit",
            "trace",
            "type_map",
            "wall_time",
        ],
        &["codec"],
        &["error"],
        &["authority", "event"],
        &["proto"],
        &["cluster", "fuzzing"],
        &["live"],
        &["connection", "sending"],
        &["facade"],
        &["lib", "testing"],
    ],
};

const ENGINE_CRATE: House = House {
    package: "engineio",
    folder: "",
    floors: &[
        &[
            "buffers",
            "fields",
            "header_list",
            "lock",
            "moment",
            "owed",
            "random",
            "session_id",
            "trace",
            "transport",
            "zlib",
        ],
        &["packet", "send_options"],
        &["jsonp", "payload", "websocket"],
        &["message"],
        &["body", "http", "nodes"],
        &["config"],
        &["proto"],
        &["server"],
        &["fuzzing", "lib"],
    ],
};

const ENGINE: House = House {
    package: "engineio",
    folder: "server",
    floors: &[
        &["stream", "atomic", "clock", "tasks"],
        &["nodes"],
        &["hub"],
        &["session"],
        &["transport", "drain"],
        &["exchange"],
        &["door"],
        &["engine"],
        &["mod"],
    ],
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
};

const HOUSES: [&House; 4] = [&SOCKETIO, &ENGINE_CRATE, &ENGINE, &AUTH];

/// Where files may lead to each other in a circle: the folder, and how many of its files at most.
///
/// A server's live objects hold each other, and so do an engine's session and its handle. The methods of
/// `Authenticator` return its combinators, which are authenticators.
const MAY_BE_ROUND: [(&str, &str, usize); 3] = [
    ("auth", "authenticator", 7),
    ("engineio", "server/session", 4),
    ("socketio", "live", 9),
];

/// The crates in which files lead to each other in a circle nowhere else.
const WITHOUT_CIRCLES: [&str; 5] = ["engineio", "auth", "socketio", "socketio/redis", "benches"];

impl House {
    /// The name of a file of this house, without its ending.
    fn name(&self, file: &Path) -> Option<String> {
        let inside = file.strip_prefix(self.folder).ok()?;
        Some(inside.with_extension("").to_string_lossy().into_owned())
    }

    fn floor(&self, room: &str) -> Option<usize> {
        self.floors.iter().position(|rooms| rooms.contains(&room))
    }

    /// What breaks the rule.
    fn judge(&self, files: &BTreeSet<PathBuf>, arrows: &Arrows) -> Vec<String> {
        let mut problems = Vec::new();
        let names = files.iter().filter_map(|file| self.name(file));
        for name in names {
            if self.floor(room(&name)).is_none() {
                problems.push(format!("{name} is on no floor"));
            }
        }
        for ((from, to), path) in arrows {
            let (Some(from), Some(to)) = (self.name(from), self.name(to)) else {
                continue;
            };
            let (user, used) = (room(&from), room(&to));
            let (Some(floor), Some(below)) = (self.floor(user), self.floor(used)) else {
                continue;
            };
            // Files at the top of the same floor stand in the same folder.
            let are_beside = floor == below && from == user && to == used;
            if user != used && below >= floor && !are_beside {
                problems.push(format!("{from} uses {to} ({path}), which is not below it"));
            }
        }
        problems
    }
}

/// The room that a file belongs to: its first folder, or itself at the top.
fn room(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
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
        let found = house.judge(&files, &sources.arrows());
        problems.extend(
            found
                .into_iter()
                .map(|problem| format!("{}: {problem}", house.package)),
        );
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// What the root of a crate only shows to the outside has a place of its own, and is named there by what is inside.
#[test]
fn nothing_inside_goes_out_by_the_front_door() {
    let mut problems = Vec::new();
    for package in ["engineio", "auth", "socketio"] {
        let sources = Sources::of(package);
        let insides = sources.modules.iter().filter(|module| {
            let room = module.file.with_extension("");
            !["lib", "models"]
                .iter()
                .any(|outside| room.starts_with(outside))
        });
        for module in insides {
            let shown = module
                .named()
                .filter(|path| sources.is_shown_by_the_root(path));
            problems.extend(shown.map(|path| {
                format!(
                    "{package}: {} names {}",
                    module.file.display(),
                    path.join("::")
                )
            }));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn only_live_state_is_round() {
    let mut problems = Vec::new();
    for package in WITHOUT_CIRCLES {
        for ring in rings(&Sources::of(package).arrows()) {
            let is_fine = MAY_BE_ROUND.iter().any(|(whose, folder, most)| {
                *whose == package
                    && ring.len() <= *most
                    && ring.iter().all(|file| file.starts_with(folder))
            });
            if !is_fine {
                problems.push(format!("{package}: {ring:?}"));
            }
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
    };
    let file = |name: &str| PathBuf::from(name).with_extension("rs");
    let names = [
        "stone",
        "sand",
        "left/one",
        "left/other",
        "right/one",
        "lost",
    ];
    let uses = [
        ("left/one", "stone"),
        ("left/one", "left/other"),
        ("stone", "sand"),
        ("stone", "left/one"),
        ("right/one", "left/other"),
    ];
    let arrows: Arrows = uses
        .into_iter()
        .map(|(from, to)| ((file(from), file(to)), String::new()))
        .collect();
    assert_eq!(
        house.judge(&names.into_iter().map(file).collect(), &arrows),
        [
            "lost is on no floor",
            "right/one uses left/other (), which is not below it",
            "stone uses left/one (), which is not below it",
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
