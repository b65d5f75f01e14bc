#!/usr/bin/env bash
# watch.sh CHANNEL [STATE]: prints the channel's state whenever it has changed, until it is STATE. curl speaks no WebSocket, so it
# asks every second; the other languages subscribe.
source "$(dirname "$0")/client.sh"

variables=$(python3 -c 'import json, sys; print(json.dumps({"id": sys.argv[1]}))' "${1:?the id of a channel}")
seen=
while [ "$seen" != "${2:-}" ] || [ -z "$seen" ]; do
  state=$(ask channel-state "$variables" | pick channel.state)
  if [ "$state" != "$seen" ]; then echo "$state"; fi
  seen=$state
  if [ "$seen" != "${2:-}" ]; then sleep 1; fi
done
