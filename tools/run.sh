#!/usr/bin/env bash
# Runs a proxy for trying out, with its policy, CA and log in run/.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
umask 022
mkdir -p run/ca run/logs
chmod 700 run/ca
if [ ! -d run/policy ]; then
  mkdir -p run/policy
  [ ! -d policy ] || cp -R policy/. run/policy/
fi
proxy=http://127.0.0.1:8080
ca=$root/run/ca/leash-ca-cert.pem
cat <<TEXT
leash listens on 127.0.0.1:8080, its health and metrics are on 127.0.0.1:8081. Stop it with Ctrl-C.

In a second terminal, for a shell whose programs go out through it:
  export HTTP_PROXY=$proxy HTTPS_PROXY=$proxy http_proxy=$proxy https_proxy=$proxy
  export CURL_CA_BUNDLE=$ca SSL_CERT_FILE=$ca REQUESTS_CA_BUNDLE=$ca NODE_EXTRA_CA_CERTS=$ca GIT_SSL_CAINFO=$ca

Try it:
  curl -x $proxy --cacert $ca https://example.com/      # what run/policy says decides
  build/leashctl --policy-dir $root/run/policy mode audit   # let everything pass, and only watch
  tail -f $root/run/logs/egress.jsonl                   # what happened

TEXT
exec build/leash --listen 127.0.0.1:8080 --admin 127.0.0.1:8081 --policy-dir "$root/run/policy" \
  --log "$root/run/logs/egress.jsonl" --ca-dir "$root/run/ca"
