#!/usr/bin/env bash
# Fuzzes every parser for FUZZ_SECONDS seconds each (default 60) with cargo-fuzz; needs a compiler that accepts -Z flags.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
# libFuzzer's instrumentation hides behind nightly flags of the compiler.
export RUSTC_BOOTSTRAP=1
for target in fuzz_targets/*.rs; do
  name=$(basename "$target" .rs)
  echo "== $name for ${FUZZ_SECONDS:-60} s"
  cargo fuzz run --fuzz-dir . "$name" -- -max_total_time="${FUZZ_SECONDS:-60}" -max_len=65536 -print_final_stats=0 -verbosity=0
done
