#!/usr/bin/env bash
# Draws every page of the dashboard on a real instance with a real broadcast into PICTURES, for people to look at.
set -euo pipefail
cd "$(dirname "$0")/.."

PICTURES=${PICTURES:-$(mktemp -d -t headwater-pictures-XXXXXX)}
export PICTURES
(cd tests/browser && npm ci --no-audit --no-fund --loglevel=error)
cargo build --locked --bin headwater
cargo test --locked --test e2e_dashboard pictures -- --ignored
echo "The pictures are in $PICTURES"
