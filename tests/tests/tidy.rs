//! What must stay true of the tree itself: who imports whom, where `unsafe` may stand, how long a file may grow.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines of one Rust file, tests included. A file that needs more has a seam.
const FILE_LINES_MAX: usize = 700;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace folder")
        .to_path_buf()
}

/// Every file that git tracks, relative to the root.
fn tracked() -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(
        listed.status.success(),
        "git ls-files failed: {}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let names = String::from_utf8(listed.stdout).expect("file names are UTF-8");
    names
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
        .filter(|p| root().join(p).is_file())
        .collect()
}

fn text(path: &Path) -> Option<String> {
    std::fs::read_to_string(root().join(path)).ok()
}

/// Direct dependencies of each workspace crate: normal and build ones, then development ones.
fn dependencies() -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let (mut normal, mut development) = (BTreeSet::new(), BTreeSet::new());
            for dependency in package["dependencies"].as_array().expect("dependencies") {
                let name = dependency["name"].as_str().expect("a name").to_string();
                match dependency["kind"].as_str() {
                    Some("dev") => development.insert(name),
                    _ => normal.insert(name),
                };
            }
            (
                package["name"].as_str().expect("a name").to_string(),
                (normal, development),
            )
        })
        .collect()
}

#[test]
fn crates_import_only_whom_the_plan_allows() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("headwater-media", &[][..]),
        ("headwater-platform", &[][..]),
        ("headwater-model", &["headwater-media"][..]),
        ("headwater-api", &["headwater-model", "headwater-platform"][..]),
        ("headwater-scheduler", &["headwater-model", "headwater-platform"][..]),
        (
            "headwater-gpu-worker",
            &["headwater-media", "headwater-model", "headwater-platform"][..],
        ),
        (
            "headwater-ingest-edge",
            &["headwater-media", "headwater-model", "headwater-platform"][..],
        ),
        (
            "headwater-origin",
            &["headwater-media", "headwater-model", "headwater-platform"][..],
        ),
    ]);
    for (name, (normal, development)) in dependencies() {
        let Some(allowed) = allowed.get(name.as_str()) else {
            assert!(
                ["headwater", "headwater-tests"].contains(&name.as_str()),
                "{name} is not in the plan"
            );
            continue;
        };
        for import in normal.union(&development).filter(|i| i.starts_with("headwater")) {
            assert!(
                allowed.contains(&import.as_str()),
                "{name} imports {import}: a new edge needs a decision record"
            );
        }
    }
}

#[test]
fn outside_things_appear_only_behind_their_seam() {
    let only: [(&str, &[&str]); 11] = [
        ("ffmpeg-sys-next", &["headwater-gpu-worker"]),
        ("sqlx", &["headwater-api", "headwater-scheduler", "headwater-tests"]),
        ("redis", &["headwater-platform"]),
        ("async-graphql", &["headwater-api", "headwater-tests"]),
        ("argon2", &["headwater-api"]),
        (
            "jsonwebtoken",
            &["headwater-api", "headwater-origin", "headwater-tests"],
        ),
        ("aws-sdk-s3", &["headwater-platform"]),
        ("s3s", &["headwater", "headwater-tests"]),
        ("s3s-fs", &["headwater-tests"]),
        (
            "tokio-rustls",
            &[
                "headwater-api",
                "headwater-origin",
                "headwater-ingest-edge",
                "headwater-tests",
            ],
        ),
        ("prost", &["headwater-model", "headwater-gpu-worker"]),
    ];
    let dependencies = dependencies();
    for (thing, owners) in only {
        for (name, (normal, _)) in &dependencies {
            assert!(
                !normal.contains(thing) || owners.contains(&name.as_str()),
                "{name} depends on {thing}, which belongs to {owners:?}"
            );
        }
    }
    let media = &dependencies["headwater-media"].0;
    for outside in ["tokio", "tracing", "log", "rand", "chrono"] {
        assert!(
            !media.contains(outside),
            "media holds no task, log line, randomness or clock, yet imports {outside}"
        );
    }
}

#[test]
fn unsafe_stands_only_in_the_library_bindings_and_each_block_says_why() {
    for path in tracked().iter().filter(|p| p.extension().is_some_and(|e| e == "rs")) {
        let Some(source) = text(path) else { continue };
        if path.ends_with("tests/tests/tidy.rs") {
            continue;
        }
        let lines: Vec<&str> = source.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if !code.contains("unsafe {") && !code.contains("unsafe fn") && !code.contains("unsafe impl") {
                continue;
            }
            let home = ["gpu-worker/src/codec", "ingest-edge/src/srt", "gpu-worker/examples"];
            assert!(
                home.iter().any(|h| path.starts_with(h)),
                "{}:{}: unsafe outside the bindings",
                path.display(),
                number + 1
            );
            let above = &lines[number.saturating_sub(8)..=number];
            assert!(
                above.iter().any(|l| l.contains("SAFETY:") || l.contains("# Safety")),
                "{}:{}: unsafe without a SAFETY sentence",
                path.display(),
                number + 1
            );
        }
    }
}

#[test]
fn files_stay_short() {
    for path in tracked().iter().filter(|p| {
        p.extension()
            .is_some_and(|e| ["rs", "ts", "mjs"].iter().any(|x| e == *x))
    }) {
        let lines = text(path).map_or(0, |t| t.lines().count());
        assert!(
            lines <= FILE_LINES_MAX,
            "{} has {lines} lines; at most {FILE_LINES_MAX}",
            path.display()
        );
    }
}

#[test]
fn nothing_unfinished_and_no_place_of_one_machine_is_committed() {
    // Spelled in halves so that this file does not hold them itself.
    let words = [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["todo", "!("].concat(),
        ["unimplemented", "!("].concat(),
        ["#[ig", "nore"].concat(),
        ["/ro", "ot/"].concat(),
        ["/wo", "rk/"].concat(),
        ["registry.np", "mjs.org"].concat(),
    ];
    for path in tracked() {
        let Some(source) = text(&path) else { continue };
        for word in &words {
            let found = source.lines().position(|line| line.contains(word.as_str()));
            assert!(
                found.is_none(),
                "{}:{}: holds {word:?}",
                path.display(),
                found.unwrap_or(0) + 1
            );
        }
    }
}

#[test]
fn every_make_target_is_listed_by_help() {
    let makefile = text(Path::new("Makefile")).expect("the Makefile");
    let phony = makefile
        .lines()
        .find_map(|l| l.strip_prefix(".PHONY:"))
        .expect("a list of targets");
    for target in phony.split_whitespace() {
        assert!(
            makefile
                .lines()
                .any(|l| l.starts_with(&format!("{target}:")) && l.contains("## ")),
            "`make {target}` has no line in `make help`"
        );
    }
}

#[test]
fn decision_records_have_a_number_each_and_say_it() {
    let mut numbered: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in tracked().into_iter().filter(|p| p.starts_with("docs/decisions")) {
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        let (number, _) = name.split_once('-').expect("a number, then words");
        let record = text(&path).expect("a text");
        let said = record.trim_start_matches("# ").split([':', '.']).next();
        assert_eq!(
            said.and_then(|said| said.parse::<u32>().ok()),
            number.parse().ok(),
            "{} does not begin with its number",
            path.display()
        );
        if let Some(other) = numbered.insert(number.to_owned(), path.clone()) {
            panic!("{} and {} have one number", other.display(), path.display());
        }
    }
    assert!(!numbered.is_empty(), "no record was found");
}
