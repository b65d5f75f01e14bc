#!/usr/bin/env bash
# Every test that needs no special hardware, with progress. Exits non-zero at the first suite that fails.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s (%s s so far)\n' "$1" "$SECONDS"; }

step "Browser clients"
(cd tests/browser && npm ci --no-audit --no-fund --loglevel=error)

step "Format and lints"
cargo fmt --all --check
cargo clippy --workspace --all-targets --locked --quiet -- -D warnings

step "Building"
cargo build --workspace --all-targets --locked --quiet

step "Rust tests"
cargo test --workspace --locked --no-fail-fast

step "The player's own tests in a real browser"
(cd tests/browser && npm test --silent)

step "The dashboard: documents, budget, units, stories and accessibility in a real browser"
(cd dashboard && npm run --silent checks)

step "All passed"
