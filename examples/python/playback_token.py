"""playback_token.py PLAYBACK_ID SIGNING_KEY_ID PRIVATE_KEY.pem: a playback token for an hour, signed with an RS256 key of one's own.

Python's standard library cannot sign with RSA: openssl does it here, PyJWT or Authlib in a program of yours.
"""

import base64
import json
import subprocess
import sys
import time


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def playback_token(playback_id: str, key_id: str, private_key: str, life_s: int = 3600) -> str:
    now = int(time.time())
    header = {"alg": "RS256", "typ": "JWT", "kid": key_id}
    claims = {"sub": playback_id, "aud": "v", "iat": now, "exp": now + life_s}
    signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    command = ["openssl", "dgst", "-sha256", "-sign", private_key, "-binary"]
    signature = subprocess.run(command, input=signed.encode(), capture_output=True, check=True).stdout
    return f"{signed}.{base64url(signature)}"


if __name__ == "__main__":
    print(playback_token(*sys.argv[1:4]))
