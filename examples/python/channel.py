"""channel.py TITLE: makes a channel and prints what an encoder and a page need."""

import sys

from client import ask

made = ask("create-channel", {"input": {"title": sys.argv[1]}})["channelCreate"]
playback = made["channel"]["playbackIds"][0]
print("channel    ", made["channel"]["id"])
print("server     ", made["channel"]["ingest"]["rtmp"])
print("stream key ", made["streamKeySecret"])
print("playback id", playback["id"])
print("hls        ", playback["urls"]["hls"])
print("page       ", playback["urls"]["embed"])
