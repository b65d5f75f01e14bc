#!/usr/bin/env bash
# channel.sh TITLE: makes a channel and prints what an encoder and a page need.
source "$(dirname "$0")/client.sh"

variables=$(python3 -c 'import json, sys; print(json.dumps({"input": {"title": sys.argv[1]}}))' "${1:?a title}")
made=$(ask create-channel "$variables")
echo "channel     $(pick channelCreate.channel.id <<<"$made")"
echo "server      $(pick channelCreate.channel.ingest.rtmp <<<"$made")"
echo "stream key  $(pick channelCreate.streamKeySecret <<<"$made")"
echo "playback id $(pick channelCreate.channel.playbackIds.0.id <<<"$made")"
echo "hls         $(pick channelCreate.channel.playbackIds.0.urls.hls <<<"$made")"
echo "page        $(pick channelCreate.channel.playbackIds.0.urls.embed <<<"$made")"
