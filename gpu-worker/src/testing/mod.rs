//! What the tests of this crate share: small real sources, a judge, and an edge that is told what to send.

pub(crate) mod edge;
pub(crate) mod farm;
pub(crate) mod media;

use std::path::PathBuf;
use std::process::Command;

/// The codec child that `cargo test` has built beside the tests.
pub(crate) fn transcoder() -> PathBuf {
    let tests = std::env::current_exe().expect("a test is a program");
    let target = tests
        .parent()
        .and_then(|deps| deps.parent())
        .expect("tests lie in target/*/deps");
    let path = target.join("examples/transcoder_child");
    assert!(
        path.exists(),
        "{} is missing: build the examples of this crate",
        path.display()
    );
    path
}

/// Runs a program and returns its stdout; panics with its stderr where it fails.
pub(crate) fn tool(program: &str, args: &[&str]) -> Vec<u8> {
    let out = Command::new(program)
        .args(args)
        .output()
        .unwrap_or_else(|e| panic!("{program} does not start: {e}"));
    assert!(
        out.status.success(),
        "{program} {args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    out.stdout
}
