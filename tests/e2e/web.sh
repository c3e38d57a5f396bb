#!/usr/bin/env bash
# The pages in a real browser, the metrics in a real Prometheus, and what a crowd of readers costs the checks.
# Needs root on Debian (apt, npm); all of it listens on loopback, lives below $TMPDIR and is ended by process id.
#   SITEWATCH=target/release/sitewatch tests/e2e/web.sh
# WEB_SHOTS=DIR keeps the screenshots, WEB_LOAD_SECONDS (20) is how long the crowd reads.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
: "${SITEWATCH:?the binary to test}"
load_seconds=${WEB_LOAD_SECONDS:-20}

# Asked by command, since some sources of node bring npm in the same package.
missing=()
for pair in chromium:chromium promtool:prometheus node:nodejs npm:npm python3:python3 curl:curl; do
  command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

work="$(mktemp -d)"
pids=()
finish() {
  status=$?
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  if [ "$status" -ne 0 ]; then
    echo "-- the daemon said:"; tail -n 40 "$work/daemon.log" 2>/dev/null || true
  fi
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

# Some free ports of loopback, all different.
read -r web_port site_port mortal_port prometheus_port < <(python3 - <<'PY'
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
print(*[one.getsockname()[1] for one in sockets])
PY
)
web="http://127.0.0.1:$web_port"
site="http://127.0.0.1:$site_port"

python3 "$here/web/site.py" "$site_port" & pids+=($!)
python3 "$here/web/site.py" "$mortal_port" & mortal=$!; pids+=("$mortal")

until curl -fsS -m 5 "$site/" >/dev/null 2>&1 && curl -fsS -m 5 "http://127.0.0.1:$mortal_port/" >/dev/null 2>&1; do
  kill -0 "${pids[0]}" "$mortal" || fail "the sites to watch did not start"
  sleep 0.2
done

printf 'e2e-token\n' >"$work/token"
cat >"$work/monitors.toml" <<TOML
[daemon]
database = "$work/sitewatch.db"
control_socket = "$work/control.sock"

[web]
listen = "127.0.0.1:$web_port"
title = "Status <of> \"everything\""
token_file = "$work/token"

[defaults]
interval = "1s"
timeout = "900ms"
retry_interval = "500ms"
failures_before_down = 2

[[monitor]]
name = "shop"
url = "$site/chain"
tags = ["prod"]

[[monitor]]
name = "mortal"
url = "http://127.0.0.1:$mortal_port/"
tags = ["prod"]

[[monitor]]
name = "broken"
url = "$site/503"
note = "Runbook: https://wiki.example.com/broken"

[[monitor]]
name = "slow"
url = "$site/slow"
degraded_after = "100ms"

[[monitor]]
name = "<script>alert(1)</script> \"ü\" 名前/?#%"
url = "$site/evil"
body_contains = ["never there"]

[[monitor]]
name = "secret"
url = "$site/secret"
public = false

[[maintenance]]
tags = ["prod"]
start = $(date -u -d '+1 day' +%Y-%m-%dT02:00:00Z)
end = $(date -u -d '+1 day' +%Y-%m-%dT03:00:00Z)
TOML
# Names as customers have them, and a site that is down in each group, so that no group is folded.
for index in $(seq 0 199); do
  path=$index; [ $((index % 20)) -ne 3 ] || path=503
  printf '[[monitor]]\nname = "shop-%03d.customer-%d.example.com"\nurl = "%s/%s"\ntags = ["customer-%d"]\ninterval = "5s"\n' \
    "$index" $((index / 20)) "$site" "$path" $((index / 20))
done >>"$work/monitors.toml"

"$SITEWATCH" run --config "$work/monitors.toml" >"$work/daemon.log" 2>&1 & pids+=($!)
wait_for() { # SECONDS COMMAND...
  local left=$(($1 * 5)); shift
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1)); [ "$left" -gt 0 ] || return 1
    sleep 0.2
  done
}
says() { [[ "$(curl -fsS -m 10 "$1")" == *"$2"* ]]; }
wait_for 20 curl -fsS -m 5 "$web/healthz" || fail "no answer at $web/healthz"
wait_for 30 says "$web/metrics" 'sitewatch_up{monitor="broken"} 0' || fail "broken is not down"
wait_for 30 says "$web/metrics" 'sitewatch_degraded{monitor="slow"} 1' || fail "slow is not degraded"

echo "-- promtool"
curl -fsS "$web/metrics" >"$work/metrics.txt"
promtool check metrics <"$work/metrics.txt" || fail "promtool has something to say"
curl -fsS -H 'Authorization: Bearer e2e-token' "$web/metrics" | promtool check metrics || fail "promtool, with the token"
! grep -q secret "$work/metrics.txt" || fail "a private monitor is in the public metrics"

echo "-- prometheus"
cat >"$work/prometheus.yml" <<YML
global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs: [ { job_name: sitewatch, static_configs: [ { targets: ["127.0.0.1:$web_port"] } ] } ]
YML
prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/tsdb" \
  --web.listen-address="127.0.0.1:$prometheus_port" >"$work/prometheus.log" 2>&1 & pids+=($!)
query() {
  curl -fsS -m 5 -G "http://127.0.0.1:$prometheus_port/api/v1/query" --data-urlencode "query=$1"
}
wait_for 30 query 'sitewatch_up == 1' || { tail "$work/prometheus.log"; fail "Prometheus does not answer"; }
finds() { [[ "$(query "$1")" == *"\"monitor\":\"$2\""* ]]; }
wait_for 30 finds 'sitewatch_up == 1' mortal || fail "mortal is not up in Prometheus"
kill "$mortal"; wait "$mortal" 2>/dev/null || true
wait_for 30 finds 'sitewatch_up == 0' mortal || fail "the stopped site is not found by sitewatch_up == 0"
echo "a stopped site is found by sitewatch_up == 0"

echo "-- feed and badges"
curl -fsS "$web/feed.atom" >"$work/feed.atom"
curl -fsS "$web/badge/shop.svg" >"$work/shop.svg"
curl -fsS "$web/badge/%3Cscript%3Ealert%281%29%3C%2Fscript%3E%20%22%C3%BC%22%20%E5%90%8D%E5%89%8D%2F%3F%23%25.svg" >"$work/odd.svg"
python3 "$here/web/documents.py" "$work/feed.atom" "$work/shop.svg" "$work/odd.svg"

echo "-- chromium and axe"
cp "$here/web/look.mjs" "$work/look.mjs"
(cd "$work" && PUPPETEER_SKIP_DOWNLOAD=1 npm install --no-audit --no-fund --silent --no-save puppeteer-core axe-core 2>/dev/null)
shots="${WEB_SHOTS:-$work/shots}"
mkdir -p "$shots"
(cd "$work" && timeout 300 node look.mjs "$web" "$shots")

echo "-- few and many sites"
pages=$(cd "$here/../.." && cargo bench --locked --profile release --bench pages --no-run 2>&1 | sed -n 's/.*Executable.*(\(.*\))$/\1/p')
[ -n "$pages" ] || fail "the server of made-up sites was not built"
# These servers end with their standard input.
mkfifo "$work/open"
exec 9<>"$work/open"
many=()
for sites in 3 12 200 2000; do
  for days in 0 90; do
    (cd "$here/../.." && TMPDIR=$work exec "$pages" serve "$sites" "$days") <&9 >"$work/serves-$sites-$days" 2>&1 & pids+=($!)
  done
done
for sites in 3 12 200 2000; do
  for days in 0 90; do
    wait_for 240 grep -q '^http' "$work/serves-$sites-$days" || { cat "$work/serves-$sites-$days"; fail "no page of $sites sites"; }
    many+=("sites-$sites-days-$days=$(grep '^http' "$work/serves-$sites-$days")=$sites")
  done
done
(cd "$work" && timeout 600 node look.mjs --many "$shots" "${many[@]}")

echo "-- a crowd"
timeout $((load_seconds * 2 + 60)) python3 "$here/web/crowd.py" "$web" 200 "$load_seconds"
echo "all of the web suite holds"
