#!/usr/bin/env bash
# Runs a proxy and its console for trying out, with policy, CA, log and the console's state in run/.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
umask 022
mkdir -p run/ca run/logs run/console
chmod 700 run/ca run/console
if [ ! -d run/policy ]; then
  mkdir -p run/policy
  [ ! -d policy ] || cp -R policy/. run/policy/
fi
proxy=http://127.0.0.1:8080
console=http://127.0.0.1:8090
ca=$root/run/ca/leash-ca-cert.pem
export LEASH_CONSOLE_LISTEN=127.0.0.1:8090

started=()
finish() {
  trap - EXIT INT TERM
  [ ${#started[@]} -eq 0 ] || kill -TERM "${started[@]}" 2>/dev/null || true
  wait
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

build/leash --listen 127.0.0.1:8080 --admin 127.0.0.1:8081 --policy-dir "$root/run/policy" \
  --log "$root/run/logs/egress.jsonl" --ca-dir "$root/run/ca" &
started+=($!)
# The console may read the CA's certificate only where that is there when it starts.
for _ in $(seq 100); do
  [ -e "$ca" ] && break
  sleep 0.1
done
build/leash-console --policy-dir "$root/run/policy" --log "$root/run/logs/egress.jsonl" \
  --admin 127.0.0.1:8081 --ca-dir "$root/run/ca" --state-dir "$root/run/console" &
started+=($!)
# The token is made at the first start.
for _ in $(seq 100); do
  token=$(build/leashctl console token --state-dir "$root/run/console" 2>/dev/null) && break
  sleep 0.1
done
cat <<TEXT

leash listens on 127.0.0.1:8080, its health and metrics are on 127.0.0.1:8081.
The console is at $console, sign in with the token
  ${token:-(see 'build/leashctl console token --state-dir run/console')}
Ctrl-C stops both.

In a second terminal, for a shell whose programs go out through it:
  export HTTP_PROXY=$proxy HTTPS_PROXY=$proxy http_proxy=$proxy https_proxy=$proxy
  export CURL_CA_BUNDLE=$ca SSL_CERT_FILE=$ca REQUESTS_CA_BUNDLE=$ca NODE_EXTRA_CA_CERTS=$ca GIT_SSL_CAINFO=$ca

Try it:
  curl -x $proxy --cacert $ca https://example.com/      # what run/policy says decides
  build/leashctl --policy-dir $root/run/policy mode audit   # let everything pass, and only watch
  tail -f $root/run/logs/egress.jsonl                   # what happened

TEXT
# Where one of them ends by itself, the other has nothing left to do.
wait -n "${started[@]}"
