#!/usr/bin/env bash
# token.sh PLAYBACK_ID SIGNING_KEY_ID PRIVATE_KEY.pem: a playback token for an hour, signed with an RS256 key of one's own.
set -euo pipefail
playback_id=${1:?a playback id}; key_id=${2:?the id of the signing key}; private_key=${3:?its private half, a PEM file}

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
now=$(date +%s)
header=$(printf '{"alg":"RS256","typ":"JWT","kid":"%s"}' "$key_id" | base64url)
claims=$(printf '{"sub":"%s","aud":"v","iat":%d,"exp":%d}' "$playback_id" "$now" "$((now + 3600))" | base64url)
signature=$(printf '%s.%s' "$header" "$claims" | openssl dgst -sha256 -sign "$private_key" -binary | base64url)
echo "$header.$claims.$signature"
