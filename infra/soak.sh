#!/usr/bin/env bash
# Runs the release build for SOAK_MINUTES (default 5) under the eyes of live readers; see tests/src/bin/soak.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
export HEADWATER_BINARY=$PWD/target/release/headwater
case $target in /*) HEADWATER_BINARY=$target/release/headwater ;; esac

cargo build --release --locked -p headwater-tests --bin soak
exec "$target/release/soak"
