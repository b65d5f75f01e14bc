//! Puts the player's built files into the binary. A release needs the real ones; a debug build without them gets a
//! page that says so.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, process, thread};

/// Longest that pages that are being made are waited for.
const WAIT_S: u32 = 900;
const PLACEHOLDER: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Player not built</title>\
<p>This build of Headwater holds no player. Run <code>make player</code> and build again.</p></html>\n";
const SCRIPT: &str = "console.error('This build of Headwater holds no player: run make player and build again.');\n";

fn main() {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("player");
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    let dist = root.join("dist");
    println!("cargo:rerun-if-changed=build.rs");
    wait_for(&dist);
    // Cargo takes a path that does not exist for changed at every build, so the folder above is watched instead.
    let watched = [&dist, &root].into_iter().find(|folder| folder.exists());
    if let Some(folder) = watched {
        println!("cargo:rerun-if-changed={}", folder.display());
    }

    let mut files = Vec::new();
    if dist.join("embed.html").exists() {
        collect(&dist, &dist, &mut files);
    } else {
        if root.join("package.json").exists() && env::var("PROFILE").as_deref() == Ok("release") {
            eprintln!("the player is not built: run `make player` first");
            process::exit(1);
        }
        for (name, text) in [("embed.html", PLACEHOLDER), ("embed.js", SCRIPT)] {
            fs::write(out.join(name), text).expect("OUT_DIR is writable");
            files.push((name.to_string(), out.join(name)));
        }
    }
    files.sort();

    let mut code = String::from("pub(super) static FILES: &[(&str, &[u8], &str)] = &[\n");
    for (name, path) in files {
        let bytes = fs::read(&path).expect("the file was just listed");
        writeln!(
            code,
            "    ({name:?}, include_bytes!({:?}), \"\\\"{:016x}\\\"\"),",
            path,
            fnv1a(&bytes)
        )
        .expect("writing to a String cannot fail");
    }
    code.push_str("];\n");
    fs::write(out.join("player.rs"), code).expect("OUT_DIR is writable");
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, PathBuf)>) {
    for entry in fs::read_dir(folder).expect("the folder exists") {
        let path = entry.expect("the folder is readable").path();
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_none_or(|ext| ext != "map") {
            let name = path
                .strip_prefix(root)
                .expect("below the root")
                .to_string_lossy()
                .into_owned();
            files.push((name, path));
        }
    }
}

/// `infra/build.sh` makes the pages of a first build meanwhile: they are long done when this runs, as a rule.
fn wait_for(dist: &Path) {
    let coming = env::var_os("HEADWATER_PAGES_COMING").is_some();
    for _ in 0..WAIT_S {
        if !coming || dist.join(".stamp").exists() {
            return;
        }
        thread::sleep(Duration::from_secs(1));
    }
}

/// FNV-1a, 64 bits: enough to tell two builds of a file apart.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
