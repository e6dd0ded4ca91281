#!/usr/bin/env bash
# Hits over HTTP at one size, media-cache beside nginx's proxy_cache, in one run and in turn.
#
#   bench/http.sh [BYTES] [SECONDS] [ROUNDS]
#
# Needs wrk and nginx on the PATH. The origin is a third nginx server in the same process; both caches are asked once before the
# measuring begins, so all that is measured are hits. Everything listens on loopback and is gone at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

bytes=${1:-1024} seconds=${2:-5} rounds=${3:-3}
connections=64
work=$(mktemp -d)
# nginx's workers are another user when it is started by root.
chmod 755 "$work"
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT

for tool in wrk nginx curl; do
  command -v "$tool" >/dev/null || { echo "http.sh: $tool is not installed" >&2; exit 1; }
done
cargo build --release --quiet --package media-cache-cli

origin=18201 proxy=18202
mkdir "$work/www"
head -c "$bytes" /dev/urandom >"$work/www/1.png"
cat >"$work/nginx.conf" <<EOF
daemon off;
worker_processes auto;
pid $work/nginx.pid;
error_log stderr error;
events { worker_connections 1024; }
http {
  access_log off;
  types { image/png png; }
  keepalive_requests 1000000000;
  client_body_temp_path $work/body; proxy_temp_path $work/proxy; fastcgi_temp_path $work/fastcgi;
  uwsgi_temp_path $work/uwsgi; scgi_temp_path $work/scgi;
  proxy_cache_path $work/store keys_zone=media:10m;
  server { listen 127.0.0.1:$origin; root $work/www; }
  server {
    listen 127.0.0.1:$proxy;
    location / { proxy_pass http://127.0.0.1:$origin; proxy_cache media; proxy_cache_valid 200 1h; }
  }
}
EOF
nginx -p "$work" -c "$work/nginx.conf" &
target/release/media-cache serve --listen 127.0.0.1:0 --allow-address 127.0.0.0/8 --dir "$work/cache" >"$work/address" 2>/dev/null &
for _ in $(seq 100); do
  if curl -sf "http://127.0.0.1:$proxy/1.png" -o /dev/null && [ -s "$work/address" ]; then break; fi
  sleep 0.1
done

address=$(sed 's/^listening on //' "$work/address")
ours="$address/media?url=http://127.0.0.1:$origin/1.png"
theirs="http://127.0.0.1:$proxy/1.png"
for url in "$ours" "$theirs"; do
  curl -sf "$url" | cmp - "$work/www/1.png"
done

rate() { wrk --threads 1 --connections "$connections" --duration "${seconds}s" "$1" | awk '/^Requests\/sec/ { print $2 } /Non-2xx/ { exit 1 }'; }
echo "$bytes bytes, $connections connections, $seconds s each, $(nproc) cores shared with wrk"
printf '%-8s %14s %14s %8s\n' round media-cache nginx ratio
for round in $(seq "$rounds"); do
  a=$(rate "$ours") b=$(rate "$theirs")
  printf '%-8s %14s %14s %8s\n' "$round" "$a" "$b" "$(awk "BEGIN { printf \"%.2f\", $a / $b }")"
done
