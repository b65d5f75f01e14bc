"""Asks Headwater's GraphQL API, with nothing but Python's standard library.

HEADWATER_TOKEN is an API token (hw_live_... or hw_test_...); HEADWATER_URL says where the API is.
"""

import base64
import json
import os
import secrets
import socket
import ssl
import struct
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

URL = os.environ.get("HEADWATER_URL", "http://127.0.0.1:8080")
OPERATIONS = Path(__file__).resolve().parent.parent / "operations"


class Refused(Exception):
    """What the API says is wrong."""


def token() -> str:
    return os.environ["HEADWATER_TOKEN"]


def operation(name: str) -> str:
    return (OPERATIONS / f"{name}.graphql").read_text()


def ask(name: str, variables: dict[str, Any]) -> dict[str, Any]:
    """Runs a query or mutation of operations/ and returns `data`."""
    body = json.dumps({"query": operation(name), "variables": variables}).encode()
    headers = {"Authorization": f"Bearer {token()}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{URL}/graphql", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        answer = json.load(error)
    return checked(answer)


def checked(answer: dict[str, Any]) -> dict[str, Any]:
    wrong = list(answer.get("errors") or [])
    for part in (answer.get("data") or {}).values():
        wrong += (part or {}).get("userErrors", [])
    if wrong:
        raise Refused("\n".join(error["message"] for error in wrong))
    return answer["data"]


def subscribe(name: str, variables: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Runs a subscription of operations/ over graphql-transport-ws; a library such as websockets does the first half of it."""
    with Socket(f"{URL}/graphql".replace("http", "ws", 1), "graphql-transport-ws") as messages:
        messages.send({"type": "connection_init", "payload": {"authorization": f"Bearer {token()}"}})
        for message in messages:
            match message["type"]:
                case "connection_ack":
                    payload = {"query": operation(name), "variables": variables}
                    messages.send({"id": "1", "type": "subscribe", "payload": payload})
                case "ping":
                    messages.send({"type": "pong"})
                case "next":
                    yield checked(message["payload"])
                case "error":
                    raise Refused("\n".join(error["message"] for error in message["payload"]))
                case "complete":
                    return


class Socket:
    """As much of a WebSocket (RFC 6455) as JSON messages need."""

    def __init__(self, url: str, protocol: str):
        parts = urllib.parse.urlsplit(url)
        secure = parts.scheme == "wss"
        host = parts.hostname or ""
        connection = socket.create_connection((host, parts.port or (443 if secure else 80)), timeout=60)
        self._socket = ssl.create_default_context().wrap_socket(connection, server_hostname=host) if secure else connection
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        lines = [f"GET {parts.path} HTTP/1.1", f"Host: {parts.netloc}", "Upgrade: websocket", "Connection: Upgrade",
                 f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Protocol: {protocol}", "", ""]
        self._socket.sendall("\r\n".join(lines).encode())
        self._file = self._socket.makefile("rb")
        status = self._file.readline().decode()
        while self._file.readline().strip():
            pass
        if " 101 " not in status:
            raise Refused(f"no WebSocket: {status.strip()}")

    def __enter__(self) -> "Socket":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, message: dict[str, Any]) -> None:
        self._frame(0x1, json.dumps(message).encode())

    def __iter__(self) -> Iterator[dict[str, Any]]:
        whole = b""
        while True:
            first, second = self._file.read(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", self._file.read(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self._file.read(8))
            data = self._file.read(size)
            match first & 0x0F:
                case 0x8:
                    raise Refused(f"closed: {data[2:].decode(errors='replace')}")
                case 0x9:
                    self._frame(0xA, data)
                case 0x0 | 0x1:
                    whole += data
                    if first & 0x80:
                        yield json.loads(whole)
                        whole = b""

    def _frame(self, opcode: int, data: bytes) -> None:
        size = len(data)
        length = bytes([0x80 | size]) if size < 126 else struct.pack("!BH", 0x80 | 126, size)
        mask = secrets.token_bytes(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
        self._socket.sendall(bytes([0x80 | opcode]) + length + mask + masked)
