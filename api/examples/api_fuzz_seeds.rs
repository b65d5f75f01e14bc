//! Writes valid input for the api's fuzz targets: `api_fuzz_seeds FOLDER` makes `FOLDER/TARGET/seed-N`.

use std::path::PathBuf;
use std::{env, fs, io};

use headwater_api::fuzz::TARGETS;

fn main() -> io::Result<()> {
    let folder = PathBuf::from(env::args_os().nth(1).unwrap_or_else(|| "fuzz/corpus".into()));
    for (target, _, seeds) in TARGETS {
        fs::create_dir_all(folder.join(target))?;
        for (number, seed) in seeds().into_iter().enumerate() {
            fs::write(folder.join(target).join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}
