#!/usr/bin/env bash
# Fuzzes every parser for FUZZ_SECONDS seconds each (default 60), or those named as arguments, and says how many inputs
# each has taken. What they learn is kept in fuzz/target/corpus, inputs that fail in fuzz/target/found.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v cargo-fuzz >/dev/null || {
  echo "Installing cargo-fuzz (once, a minute or two)"
  cargo install --quiet --locked cargo-fuzz
}
# A stable compiler has libFuzzer's instrumentation too, behind flags that it takes from nightly users alone.
export RUSTC_BOOTSTRAP=1
state=$PWD/fuzz/target
mkdir -p "$state/corpus" "$state/found"
echo "Building the fuzz targets"
cargo run --quiet --locked -p headwater-media --example fuzz_seeds -- "$state/corpus"
cargo run --quiet --locked -p headwater-api --example api_fuzz_seeds -- "$state/corpus"
cargo run --quiet --locked -p headwater-origin --example origin_fuzz_seeds -- "$state/corpus"
CARGO_TARGET_DIR=$state cargo fuzz build --fuzz-dir fuzz
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(basename -s .rs fuzz/fuzz_targets/*.rs)
failed=()
for i in "${!targets[@]}"; do
  name=${targets[$i]}
  log=$state/$name.log
  printf '%2d/%d %-17s %3s s  ' $((i + 1)) ${#targets[@]} "$name" "${FUZZ_SECONDS:-60}"
  if "$state/$(rustc -vV | sed -n 's/^host: //p')/release/$name" "$state/corpus/$name" -artifact_prefix="$state/found/$name-" \
    -max_total_time="${FUZZ_SECONDS:-60}" -max_len=65536 -print_final_stats=1 >"$log" 2>&1; then
    echo "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, $(sed -n 's/.*cov: \([0-9]*\).*/\1/p' "$log" | tail -1) edges covered"
  else
    echo "FAILED: $(grep -m1 -E 'panicked|ERROR|SUMMARY' "$log" || tail -1 "$log")"
    failed+=("$name")
  fi
done
[ ${#failed[@]} -eq 0 ] || {
  echo "Failed: ${failed[*]}; inputs are in fuzz/target/found, logs beside it"
  exit 1
}
