#!/usr/bin/env bash
# Builds the pages, and the binary that holds them. usage: infra/build.sh release|dist
set -euo pipefail
cd "$(dirname "$0")/.."

# Not under make's own job server: cargo brings one.
unset MAKEFLAGS MFLAGS MAKELEVEL
pages() { make --no-print-directory --jobs=2 player dashboard; }
binary() { cargo build --profile "$1" --locked --bin headwater; }

if [ -e origin/player/dist/.stamp ] && [ -e dashboard/dist/.stamp ]; then
  pages
  echo "Building Headwater (the first build takes minutes, later ones seconds)"
  binary "$1"
  exit
fi
echo "Building Headwater and, beside it, its pages (minutes the first time, later seconds)"
# What holds the pages is compiled late; its build scripts wait for them in the rare case.
HEADWATER_PAGES_COMING=1 binary "$1" &
building=$!
pages || {
  kill "$building"
  exit 1
}
wait "$building"
