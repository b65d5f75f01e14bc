#!/usr/bin/env bash
# webhook.sh SECRET ID TIMESTAMP SIGNATURE < BODY: whether a message is genuine, by the endpoint's secret (whsec_…) and the headers
# webhook-id, webhook-timestamp and webhook-signature. See docs/webhooks.md.
set -euo pipefail
secret=${1:?}; id=${2:?}; timestamp=${3:?}; signatures=${4:?}

age=$(($(date +%s) - timestamp))
if ((age > 300 || age < -300)); then echo "too old, or from the future" >&2; exit 1; fi
key=$(printf '%s' "${secret#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
expected=$({ printf '%s.%s.' "$id" "$timestamp"; cat; } | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)
for signature in $signatures; do
  if [ "$signature" = "v1,$expected" ]; then echo genuine; exit; fi
done
echo "not signed with this secret" >&2
exit 1
