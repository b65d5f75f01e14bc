#!/usr/bin/env bash
# Measures the release build (the control plane: the dist build) against FFmpeg, nginx and a bare handler and prints Markdown; docs/benchmarks.md holds a dated copy.
# usage: infra/bench.sh [--quick] [transcode|passthrough|delay|startup|delivery|waiters|api|authorise|subscriptions]... (all when none is named)
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
case $target in /*) ;; *) target=$PWD/$target ;; esac
flags=(--window-s 60)
transcode=(--seconds 20 --runs 2)
if [ "${1:-}" = --quick ]; then
  shift
  flags=(--window-s 20 --counts 1,10)
  transcode=(--seconds 8 --runs 1)
fi
[ $# -gt 0 ] || set -- transcode passthrough delay startup delivery waiters api authorise subscriptions
# Thousands of connections on both sides.
ulimit -n "$(ulimit -Hn)"

echo "Building the measuring programs" >&2
cargo build --release --locked -p headwater-tests --bin bench
cargo build --release --locked -p headwater-gpu-worker --examples
# The control plane is measured as deployments build it (`make dist`): a first build makes it quickly rather than well.
case " $* " in *" api "* | *" authorise "* | *" subscriptions "*) cargo build --profile dist --locked -p headwater -p headwater-tests --bin headwater --bin bench ;; esac

part() {
  if [ "$1" = transcode ]; then
    echo "### Transcoding against the FFmpeg CLI"
    echo
    gpu-worker/benches/transcode.py "${transcode[@]}" --bin "$target/release/examples" || return
    echo
  else
    local profile=release
    case $1 in api | authorise | subscriptions) profile=dist ;; esac
    HEADWATER_BINARY=$target/$profile/headwater "$target/$profile/bench" "${flags[@]}" "$1"
  fi
}

results=$target/bench.md
failed=$target/bench.failed
: >"$failed"
{
  echo "Measured $(date -u +%F) at commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown);" \
    "$(ffmpeg -version | awk 'NR == 1 {print "FFmpeg " $3}'), $(nginx -v 2>&1 | sed 's/nginx version: //')," \
    "Linux $(uname -r)."
  echo
  number=0
  for name in "$@"; do
    number=$((number + 1))
    echo "== $name ($number of $#, $SECONDS s so far)" >&2
    # One that fails does not take the others' figures with it.
    part "$name" || {
      echo "The part $name failed: what it said is above." >&2
      echo "$name" >>"$failed"
    }
  done
} | tee "$results"
echo "These figures are also in $results" >&2
if [ -s "$failed" ]; then
  echo "Failed: $(paste -sd' ' "$failed"). Repeat one with: infra/bench.sh NAME" >&2
  exit 1
fi
