# Sourced by the others: asks the API with curl. Needs HEADWATER_TOKEN, and HEADWATER_URL where it is not this machine.
set -euo pipefail
: "${HEADWATER_URL:=http://127.0.0.1:8080}" "${HEADWATER_TOKEN:?an API token, hw_live_… or hw_test_…}"
operations="$(dirname "${BASH_SOURCE[0]}")/../operations"

# ask OPERATION VARIABLES: runs operations/OPERATION.graphql and prints `data`; fails with what the API says is wrong.
ask() {
  local answer
  answer=$(python3 -c 'import json, sys; print(json.dumps({"query": open(sys.argv[1]).read(), "variables": json.loads(sys.argv[2])}))' \
      "$operations/$1.graphql" "$2" |
    curl --silent --show-error "$HEADWATER_URL/graphql" --data-binary @- \
      --header "Authorization: Bearer $HEADWATER_TOKEN" --header 'Content-Type: application/json')
  python3 -c '
import json, sys
answer = json.loads(sys.argv[1])
wrong = answer.get("errors") or [e for part in (answer.get("data") or {}).values() if part for e in part.get("userErrors", [])]
if wrong: sys.exit("\n".join(e["message"] for e in wrong))
print(json.dumps(answer["data"]))' "$answer"
}

# pick PATH: the value at a path such as channel.state in the JSON on standard input.
pick() {
  python3 -c '
import json, sys
value = json.load(sys.stdin)
for step in sys.argv[1].split("."): value = value[int(step) if step.isdigit() else step]
print(value)' "$1"
}
