#!/usr/bin/env bash
# Draws every page of the dashboard on a real instance with a real broadcast into PICTURES, for people to look at.
set -euo pipefail
cd "$(dirname "$0")/.."

binary=${HEADWATER_BINARY:-${CARGO_TARGET_DIR:-target}/release/headwater}
PICTURES=${PICTURES:-$(mktemp -d -t headwater-pictures-XXXXXX)}
data=$(mktemp -d -t headwater-pictures-data-XXXXXX)
# The private PostgreSQL runs as another user when this is root.
chmod 711 "$data"
(cd tests/browser && npm ci --no-audit --no-fund --loglevel=error)

# Four ports that are free, asked for together so that they differ.
free='const s = [1, 2, 3, 4].map(() => require("net").createServer().listen(0, "127.0.0.1"))
setTimeout(() => { console.log(s.map((one) => one.address().port).join(" ")); s.forEach((one) => one.close()) }, 50)'
read -r rtmp http api admin < <(node -e "$free")
"$binary" dev --data-dir "$data/var" --rtmp-listen "127.0.0.1:$rtmp" --http-listen "127.0.0.1:$http" \
  --api-listen "127.0.0.1:$api" --admin-listen "127.0.0.1:$admin" >"$data/log" 2>&1 &
instance=$!
stop() {
  kill -INT "$instance" 2>/dev/null && wait "$instance" || true
  rm -rf "$data"
}
trap stop EXIT
until [ -f "$data/var/running.json" ]; do
  kill -0 "$instance" || { cat "$data/log"; exit 1; }
  sleep 0.2
done
echo "Drawing (minutes)"
(cd tests/browser && HEADWATER_API="http://127.0.0.1:$api" node dashboard/pictures.mjs "$PICTURES" ${ONLY:-})
echo "The pictures are in $PICTURES"
