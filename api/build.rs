//! Puts the dashboard's built files into the binary, and builds again when a migration is added. A release needs the real
//! files; a debug build without them gets a page that says so.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, process, thread};

/// Longest that pages that are being made are waited for.
const WAIT_S: u32 = 900;
const PLACEHOLDER: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Dashboard not built</title>\
<p>This build of Headwater holds no dashboard. Run <code>make dashboard</code> and build again.</p></html>\n";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../migrations");
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../dashboard");
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    let dist = root.join("dist");
    wait_for(&dist);
    // Cargo takes a path that does not exist for changed at every build, so the folder above is watched instead.
    let watched = [&dist, &root].into_iter().find(|folder| folder.exists());
    if let Some(folder) = watched {
        println!("cargo:rerun-if-changed={}", folder.display());
    }

    let mut files = Vec::new();
    if dist.join("index.html").exists() {
        collect(&dist, &dist, &mut files);
    } else {
        if root.join("package.json").exists() && env::var("PROFILE").as_deref() == Ok("release") {
            eprintln!("the dashboard is not built: run `make dashboard` first");
            process::exit(1);
        }
        fs::write(out.join("index.html"), PLACEHOLDER).expect("OUT_DIR is writable");
        files.push(("index.html".to_owned(), out.join("index.html")));
    }
    files.sort();

    let mut code = String::from("static FILES: &[File] = &[\n");
    for (name, path) in &files {
        let packed = |ending: &str| {
            let packed = path.with_file_name(format!("{}.{ending}", path.file_name()?.to_str()?));
            packed.exists().then(|| format!("include_bytes!({packed:?})"))
        };
        let option = |code: Option<String>| code.map_or("None".to_owned(), |code| format!("Some({code})"));
        let bytes = fs::read(path).expect("the file was just listed");
        writeln!(
            code,
            "    File {{ name: {name:?}, plain: include_bytes!({path:?}), brotli: {}, gzip: {}, \
             etag: \"W/\\\"{:016x}\\\"\" }},",
            option(packed("br")),
            option(packed("gz")),
            fnv1a(&bytes),
        )
        .expect("writing to a String cannot fail");
    }
    code.push_str("];\n");
    fs::write(out.join("dashboard.rs"), code).expect("OUT_DIR is writable");
}

/// The files that are served under their own names: packed ones stand beside them, what only the build reads is hidden.
fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, PathBuf)>) {
    for entry in fs::read_dir(folder).expect("the folder exists") {
        let path = entry.expect("the folder is readable").path();
        let hidden = path
            .file_name()
            .is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, files);
        } else if path
            .extension()
            .is_none_or(|ext| ext != "br" && ext != "gz" && ext != "map")
        {
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
