#!/usr/bin/env bash
# Measures the cost of durability: PUTs of 10 KB with each `--durability`, in turn.
#
#   bench/puts.sh [DIR] [SECONDS] [CONNECTIONS] [ROUNDS]
#
# Needs wrk on the PATH. Directories are created and deleted in DIR, whose file system is measured. Every PUT is for a new URL, and must be
# answered with 201. PROGRAM selects another build.
set -euo pipefail
cd "$(dirname "$0")/.."

directory=${1:-.} seconds=${2:-10} connections=${3:-64} rounds=${4:-3}
work=$(mktemp -d -p "$directory" puts-XXXXXX)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT

command -v wrk >/dev/null || { echo "puts.sh: wrk is not installed" >&2; exit 1; }
[ -n "${PROGRAM:-}" ] || cargo build --release --quiet --package media-cache-cli
program=${PROGRAM:-target/release/media-cache}

token=$(head -c 24 /dev/urandom | base64 | tr -d '\n')
(umask 077 && echo "$token" >"$work/token")
cat >"$work/put.lua" <<EOF
local number, body = 0, string.rep("x", 10000)
local headers = { Authorization = "Bearer $token", ["Content-Type"] = "text/plain" }
function request()
  number = number + 1
  return wrk.format("PUT", "/media?url=http%3A%2F%2Forigin.invalid%2F" .. number, headers, body)
end
function response(status)
  if status ~= 201 then print("FAILED: " .. status) wrk.thread:stop() end
end
EOF

echo "$connections connections, $seconds s each, on $(stat -f -c %T "$work"); $(nproc) processors shared with wrk"
for _ in $(seq "$rounds"); do
  for durability in none batch always; do
    "$program" serve --listen 127.0.0.1:0 --dir "$work/cache" --max-size-mb 20000 --durability "$durability" \
      --admin-token-file "$work/token" --log-requests none >"$work/address" 2>"$work/log" &
    service=$!
    until [ -s "$work/address" ]; do kill -0 "$service"; sleep 0.05; done
    address=$(sed 's/^listening on //' "$work/address")
    until curl -sf "$address/readyz" -o /dev/null; do kill -0 "$service"; sleep 0.05; done
    wrk --threads 1 --connections "$connections" --duration "${seconds}s" --latency --timeout 30s --script "$work/put.lua" "$address" >"$work/wrk"
    if grep -q "FAILED\|Socket errors\|Non-2xx" "$work/wrk"; then cat "$work/wrk" "$work/log" >&2; exit 1; fi
    awk -v durability="$durability" '/^Requests\/sec/ { rate = $2 } / 50%/ { median = $2 } / 99%/ { slowest = $2 }
      END { printf "%-7s %9.1f puts/s   median %9s   99 %% %9s\n", durability, rate, median, slowest }' "$work/wrk"
    kill "$service"
    wait "$service" || true
    rm -rf "$work/cache" "$work/address"
  done
done
