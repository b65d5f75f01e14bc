"""watch.py CHANNEL [STATE]: prints the channel's state whenever it has changed, until it is STATE."""

import sys

from client import subscribe

wanted = sys.argv[2] if len(sys.argv) > 2 else None
seen = None
# The first message tells how it is now.
for data in subscribe("watch-channel", {"id": sys.argv[1]}):
    state = data["channelUpdated"]["state"]
    if state != seen:
        print(state, flush=True)
    seen = state
    if state == wanted:
        break
