#!/usr/bin/env bash
# Swaps in each built-in policy in turn under load, and measures how long a swap takes, how it affects requests, and whether anything is
# lost.
#
#   bench/swap.sh [ENTRIES] [ROUNDS]
#
# Needs wrk, curl and python3 on the PATH. First it creates a directory of ENTRIES entries of 64 bytes, two files each, as another
# implementation would write them. wrk requests random entries, all of them hits, and most of them from disk. Meanwhile, each round swaps in
# all built-in policies, one after the other. For comparison, wrk first runs for 10 seconds without a swap.
set -euo pipefail
cd "$(dirname "$0")/.."

entries=${1:-100000} rounds=${2:-2}
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT

for tool in wrk curl python3; do
  command -v "$tool" >/dev/null || { echo "swap.sh: $tool is not installed" >&2; exit 1; }
done
cargo build --release --quiet --package media-cache-cli

mkdir "$work/cache"
python3 - "$work/cache" "$entries" <<'EOF'
import hashlib, json, os, sys
directory, entries = sys.argv[1], int(sys.argv[2])
for number in range(entries):
    url = f"http://origin.invalid/{number}"
    name = os.path.join(directory, hashlib.sha256(url.encode()).hexdigest())
    with open(name + ".dat", "w") as media:
        media.write(f"{number:064}")
    with open(name + ".json", "w") as sidecar:
        json.dump({"mimetype": "text/plain", "filename": f"{number}.txt", "url": url, "ts": 1.6e9 + number, "size": 64}, sidecar)
EOF
cat >"$work/random.lua" <<EOF
function init(args) math.randomseed(7) end
function request() return wrk.format("GET", "/media?url=http%3A%2F%2Forigin.invalid%2F" .. math.random(0, $entries - 1)) end
EOF

token=$(head -c 24 /dev/urandom | base64 | tr -d '\n')
(umask 077 && echo "$token" >"$work/token")
administrator=(curl -sf -H "Authorization: Bearer $token")

# Enough space for all of them: 8 KiB each, and some reserve.
target/release/media-cache serve --listen 127.0.0.1:0 --dir "$work/cache" --max-size-mb $((entries / 100 + 100)) \
  --admin-token-file "$work/token" >"$work/address" 2>"$work/log" &
until [ -s "$work/address" ]; do kill -0 $!; sleep 0.05; done
address=$(sed 's/^listening on //' "$work/address")
started=$(date +%s.%N)
until curl -sf "$address/readyz" -o /dev/null; do kill -0 $!; sleep 0.05; done
echo "$entries entries loaded in $(awk "BEGIN { printf \"%.1f\", $(date +%s.%N) - $started }") s; $(nproc) cores shared with wrk"

stat() { curl -sf "$address/stats" | python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }
policies=$("${administrator[@]}" "$address/policies" | python3 -c 'import json, sys; print(*[policy["name"] for policy in json.load(sys.stdin)["policies"]])')
load=(wrk --threads 1 --connections 16 --latency --script "$work/random.lua" "$address")
summary() { awk '/^ +Latency +[0-9]/ { print "  latency: mean " $2 ", max " $4 } / 99%/ { print "  99 % within " $2 }
  /requests in/ { print "  " $1 " requests" } /Non-2xx|Socket errors/ { print "  FAILED:" $0; bad = 1 } END { exit bad }' "$1"; }

before=$(stat '["media_cache"]["total_entries"]')
echo "without a swap:"
"${load[@]}" --duration 10s >"$work/quiet"
summary "$work/quiet"

"${load[@]}" --duration 600s >"$work/loaded" &
wrk=$!
echo "swaps under load, in seconds:"
for _ in $(seq "$rounds"); do
  for policy in $policies; do
    took=$("${administrator[@]}" -o "$work/answer" -w '%{time_total}' -X PUT "$address/policy?name=$policy")
    printf '  %-10s %s\n' "$policy" "$took"
  done
done
# wrk prints its report when it is interrupted.
kill -INT "$wrk"
wait "$wrk" || true
echo "with $((rounds * $(wc -w <<<"$policies"))) swaps:"
summary "$work/loaded"

after=$(stat '["media_cache"]["total_entries"]') misses=$(stat '["media_cache"]["misses"]')
echo "entries before and after: $before, $after; misses: $misses; $(stat '["policy"]')"
[ "$before" = "$entries" ] && [ "$after" = "$entries" ] && [ "$misses" = 0 ]
