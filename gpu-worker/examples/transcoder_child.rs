//! The codec child as a program of its own: what `headwater transcoder` runs, for tests and benches of this crate.

fn main() {
    std::process::exit(headwater_gpu_worker::transcoder_main());
}
