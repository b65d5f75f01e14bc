"""webhook.py SECRET ID TIMESTAMP SIGNATURE < BODY: whether a message is genuine. See docs/webhooks.md."""

import base64
import hashlib
import hmac
import sys
import time

TOLERANCE_S = 300


def is_genuine(secret: str, message_id: str, timestamp: str, signatures: str, body: bytes) -> bool:
    """`secret` is the endpoint's (whsec_...); the next three are the headers webhook-id, webhook-timestamp, webhook-signature."""
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > TOLERANCE_S:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    expected = "v1," + base64.b64encode(digest).decode()
    # While a secret is being replaced there are two signatures.
    return any(hmac.compare_digest(signature, expected) for signature in signatures.split())


if __name__ == "__main__":
    if not is_genuine(*sys.argv[1:5], sys.stdin.buffer.read()):
        sys.exit("not genuine")
    print("genuine")
