#!/bin/sh
# shellcheck disable=SC2317 # functions are called by their name
# Run where the agent runs: does each runtime go through leash and trust it, and is there a way around?
set -u

URL=
PROXY=
CA=
SECONDS_EACH=5
TCP=
UDP=
DNS_NAME=
SKIP_AROUND=
SKIP_RUNTIMES=
FINDINGS=0
VARIABLES="HTTP_PROXY HTTPS_PROXY http_proxy https_proxy ALL_PROXY all_proxy NO_PROXY no_proxy"

usage() {
  cat <<'TEXT'
usage: leash-doctor.sh [OPTIONS] URL

Run it as the agent, with the agent's environment. URL is an https:// URL that leash's policy allows. Each runtime that is
here (curl, wget, python3, requests, node, git, java, go) makes a real handshake with it; then TCP, UDP, DNS, IPv6 and ICMP
are tried without leash. Each finding comes with its fix.

  --proxy URL       leash, http://HOST:PORT (default: what the variables say, so that a wrong one shows less well)
  --ca-file FILE    leash's CA certificate (default: where install-ca.sh or LEASH_CA_FILE has it)
  --timeout N       seconds for each try (default 5)
  --tcp ADDR:PORT   what to try instead of addresses on the internet; may be given again
  --udp ADDR:PORT   the same for UDP: gets a DNS query, and counts when it answers
  --dns-name NAME   a public name to look up (default example.com)
  --no-around       do not try the ways around leash
  --no-runtimes     do not try the runtimes: the variables, the proxy and the ways around are quickly looked at

Exit codes: 0 all well, 1 findings, 2 wrong use.
TEXT
}

wrong_use() {
  printf 'leash-doctor.sh: %s (see --help)\n' "$*" >&2
  exit 2
}
have() { command -v "$1" >/dev/null 2>&1; }
ok() { printf 'ok       %s\n' "$*"; }
note() { printf 'note     %s\n' "$*"; }
# finding WHAT FIX
finding() {
  FINDINGS=$((FINDINGS + 1))
  printf 'FINDING  %s\n' "$1"
  printf '         fix: %s\n' "$2"
}

while [ $# -gt 0 ]; do
  case $1 in
    --proxy | --ca-file | --timeout | --tcp | --udp | --dns-name)
      [ $# -ge 2 ] || wrong_use "$1 needs a value"
      case $1 in
        --proxy) PROXY=$2 ;;
        --ca-file) CA=$2 ;;
        --timeout) SECONDS_EACH=$2 ;;
        --tcp) TCP="$TCP $2" ;;
        --udp) UDP="$UDP $2" ;;
        --dns-name) DNS_NAME=$2 ;;
      esac
      shift
      ;;
    --no-around) SKIP_AROUND=yes ;;
    --no-runtimes) SKIP_RUNTIMES=yes ;;
    -h | --help)
      usage
      exit 0
      ;;
    -*) wrong_use "no such option: $1" ;;
    *)
      [ -z "$URL" ] || wrong_use "more than one URL"
      URL=$1
      ;;
  esac
  shift
done
case $URL in
  https://?*) ;;
  '') wrong_use "which URL?" ;;
  *) wrong_use "the URL must begin with https://" ;;
esac
case $SECONDS_EACH in
  '' | 0 | *[!0-9]*) wrong_use "--timeout takes whole seconds" ;;
esac
[ -z "$CA" ] || [ -r "$CA" ] || wrong_use "$CA cannot be read"
authority=${URL#https://}
authority=${authority%%[/?#]*}
case $authority in
  *@* | *[!A-Za-z0-9.:_-]* | '') wrong_use "the URL must name a host, with or without a port" ;;
esac
URL_HOST=${authority%%:*}
: "${DNS_NAME:=example.com}"
[ -n "$TCP" ] || TCP="1.1.1.1:443 8.8.8.8:53 [2606:4700:4700::1111]:443 [2001:4860:4860::8888]:443 169.254.169.254:80"
[ -n "$UDP" ] || UDP="1.1.1.1:53 8.8.8.8:53 [2606:4700:4700::1111]:53"

WORK=$(mktemp -d) || exit 2
trap 'rm -rf "$WORK"' EXIT
trap 'exit 1' HUP INT TERM

value() { eval "printf '%s' \"\${$1:-}\""; }

# timeout(1) is everywhere but on a few; without it the program's own limits have to do.
if have timeout; then
  limited() { timeout "$((SECONDS_EACH * 2 + ${EXTRA_SECONDS:-0}))" "$@"; }
else
  limited() { "$@"; }
fi

# Variables

without_scheme() {
  plain=${1#*://}
  plain=${plain##*@}
  printf '%s' "${plain%%/*}"
}

# What may well stand in NO_PROXY: names and addresses of inside.
is_private_entry() {
  case $1 in
    localhost | *.localhost | *.local | *.internal | *.svc) return 0 ;;
    *:*/[0-7]) return 1 ;;
    ::1 | '[::1]' | fd*:*) return 0 ;;
    *[!0-9./]*) return 1 ;;
  esac
  case $1 in # a network that begins there and reaches further
    127.*/[0-7] | 10.*/[0-7] | 192.168.*/[0-9] | 192.168.*/1[0-5] | 172.*/[0-9] | 172.*/1[01] | 169.254.*/[0-9] | 169.254.*/1[0-5]) return 1 ;;
    127.* | 10.* | 192.168.* | 172.1[6-9].* | 172.2[0-9].* | 172.3[01].* | 169.254.*) return 0 ;;
  esac
  return 1
}

check_bypass_list() { # NAME
  list=$(value "$1" | tr ',' ' ')
  set -f
  for entry in $list; do
    case $entry in
      '*')
        finding "$1 is '*': nothing goes through leash" "export NO_PROXY=localhost,127.0.0.1 no_proxy=localhost,127.0.0.1"
        continue
        ;;
    esac
    bare=${entry#\*}
    bare=${bare#.}
    bare=${bare%%:[0-9]*}
    covers=
    case ".$URL_HOST" in
      *".$bare") covers=yes ;;
    esac
    if [ -n "$covers" ]; then
      finding "$1 has '$entry', which covers $URL_HOST: it does not go through leash" "take '$entry' out of $1"
    elif ! is_private_entry "$entry"; then
      finding "$1 has '$entry': what it covers does not go through leash and is not on record" "take '$entry' out of $1"
    fi
  done
  set +f
}

check_pair() { # LARGE small
  large=$(value "$1") small=$(value "$2")
  if [ -z "$large" ] && [ -z "$small" ]; then
    finding "neither $1 nor $2 is set" "export $1=${PROXY:-http://LEASH:8080} $2=${PROXY:-http://LEASH:8080} (or source leash-env.sh)"
  elif [ -z "$large" ]; then
    finding "$2 is set and $1 is not: some programs read only one of them" "export $1=$small"
  elif [ -z "$small" ]; then
    finding "$1 is set and $2 is not: some programs read only one of them" "export $2=$large"
  elif [ "$large" != "$small" ]; then
    finding "$1 ($(without_scheme "$large")) and $2 ($(without_scheme "$small")) differ" "set both to leash"
  fi
}

check_variables() {
  before=$FINDINGS
  check_pair HTTPS_PROXY https_proxy
  check_pair HTTP_PROXY http_proxy
  for name in HTTPS_PROXY https_proxy HTTP_PROXY http_proxy ALL_PROXY all_proxy; do
    set_to=$(value $name)
    [ -n "$set_to" ] || continue
    if [ -n "$PROXY" ] && [ "$(without_scheme "$set_to")" != "$(without_scheme "$PROXY")" ]; then
      finding "$name names $(without_scheme "$set_to"), leash is $(without_scheme "$PROXY")" "export $name=$PROXY"
    fi
  done
  [ "$(value NO_PROXY)" = "$(value no_proxy)" ] || finding "NO_PROXY and no_proxy differ" "export no_proxy=\"\$NO_PROXY\""
  check_bypass_list NO_PROXY
  [ "$(value NO_PROXY)" = "$(value no_proxy)" ] || check_bypass_list no_proxy
  [ $FINDINGS -gt "$before" ] || ok "proxy variables: $(without_scheme "$(value HTTPS_PROXY)")"
  for name in HTTPS_PROXY https_proxy; do
    [ -n "$PROXY" ] || PROXY=$(value $name)
  done
}

find_ca() {
  for each in "$CA" "${LEASH_CA_FILE:-}" /usr/local/share/ca-certificates/leash-ca.crt /etc/pki/ca-trust/source/anchors/leash-ca.pem \
    /etc/leash/leash-ca.pem; do
    if [ -n "$each" ] && [ -r "$each" ]; then
      CA=$each
      return 0
    fi
  done
  note "leash's own certificate is not here (--ca-file): whether it is leash that answers cannot be told"
  return 1
}

# Connections

# Each: 0 when ADDR PORT has accepted. By what is here.
split_address() { # ADDR:PORT -> $host $port
  port=${1##*:}
  host=${1%:*}
  host=${host#\[}
  host=${host%\]}
}
if have python3; then
  tcp_open() {
    limited python3 -c 'import socket, sys
socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).close()' "$1" "$2" "$SECONDS_EACH" 2>/dev/null
  }
  udp_answers() {
    limited python3 -c 'import socket, sys
query = b"\x13\x37\x01\x00\x00\x01" + bytes(6) + b"\x07example\x03com\x00\x00\x01\x00\x01"
where = socket.getaddrinfo(sys.argv[1], int(sys.argv[2]), type=socket.SOCK_DGRAM)[0]
with socket.socket(*where[:3]) as s:
    s.settimeout(float(sys.argv[3])); s.connect(where[4]); s.send(query); s.recv(4096)' "$1" "$2" "$SECONDS_EACH" 2>/dev/null
  }
  CAN_UDP=yes
elif have node; then
  tcp_open() {
    limited node -e 'const [h, p, t] = process.argv.slice(1); const s = require("net").connect(+p, h, () => process.exit(0));
s.on("error", () => process.exit(1)); setTimeout(() => process.exit(1), t * 1000)' "$1" "$2" "$SECONDS_EACH" 2>/dev/null
  }
  udp_answers() {
    limited node -e 'const [h, p, t] = process.argv.slice(1);
const s = require("dgram").createSocket(h.includes(":") ? "udp6" : "udp4"); s.on("error", () => process.exit(1));
s.on("message", () => process.exit(0)); setTimeout(() => process.exit(1), t * 1000);
s.send(Buffer.from("13370100000100000000000007" + "6578616d706c65" + "03636f6d0000010001", "hex"), +p, h)' \
      "$1" "$2" "$SECONDS_EACH" 2>/dev/null
  }
  CAN_UDP=yes
elif have curl; then
  tcp_open() {
    case $1 in *:*) at="[$1]" ;; *) at=$1 ;; esac
    took=$(limited curl -q -s --noproxy '*' --connect-timeout "$SECONDS_EACH" -m "$SECONDS_EACH" -o /dev/null -w '%{time_connect}' "http://$at:$2/" 2>/dev/null)
    case $took in '' | 0 | 0.000000) return 1 ;; esac
  }
  CAN_UDP=
elif have bash; then
  # shellcheck disable=SC2016
  tcp_open() { limited bash -c 'exec 3<>"/dev/tcp/$1/$2"' bash "$1" "$2" 2>/dev/null; }
  CAN_UDP=
elif have nc; then
  tcp_open() { limited nc -z -w "$SECONDS_EACH" "$1" "$2" </dev/null >/dev/null 2>&1; }
  CAN_UDP=
else
  tcp_open() { return 2; }
  CAN_UDP=none
fi

check_proxy() {
  if [ -z "$PROXY" ]; then
    finding "leash: no proxy is named anywhere" "source leash-env.sh with LEASH_PROXY=http://LEASH:8080"
    return 1
  fi
  at=$(without_scheme "$PROXY")
  case $at in
    *:*) ;;
    *) at=$at:80 ;;
  esac
  split_address "$at"
  if [ "$CAN_UDP" = none ]; then
    note "no program here can open a connection (python3, node, curl, bash, nc)"
    return 0
  fi
  if ! tcp_open "$host" "$port"; then
    finding "leash: $at does not take connections" "is that where leash listens, and does the firewall let the agent reach it?"
    return 1
  fi
  ok "leash: $at takes connections"
  find_ca || return 0
  have curl || return 0
  # Believes this one certificate and nothing else: another proxy on the way, or another leash, shows.
  limited curl -q -s -o /dev/null --noproxy '' -x "$PROXY" --cacert "$CA" --capath /nowhere -m "$SECONDS_EACH" "$URL" 2>/dev/null
  case $? in
    60) finding "what answers at $at shows certificates that $CA did not sign: another proxy, or another CA" \
      "point the agent at leash, or install the CA that it has now (install-ca.sh)" ;;
    0) ok "leash: signs with $CA" ;;
  esac
}

# Runtimes. try_X gives: 0 through, 10 not trusted, 11 no way there, 13 refused by leash, 12 other; what it
# said is in $WORK/said.

classify() {
  if grep -Eqi 'tunnel.*(403|forbidden)|Proxy returns|: Forbidden$|CONNECT 4' "$WORK/said"; then return 13; fi
  if grep -Eqi 'certificate|CERT_|UNABLE_TO_|SELF_SIGNED|PKIX|x509|unknown authority|issuer' "$WORK/said"; then return 10; fi
  if grep -Eqi 'resolve|not known|refused|timed out|timeout|unreachable|no route|ENOTFOUND|EAI_AGAIN|ECONN|lookup|UnknownHost|ConnectException|failed: |Name or service|network is' \
    "$WORK/said"; then return 11; fi
  return 12
}

try_curl() {
  limited curl -sS -o /dev/null -m "$SECONDS_EACH" "$URL" >"$WORK/said" 2>&1
  case $? in
    0) return 0 ;;
    60 | 77) return 10 ;;
    5 | 6 | 7 | 28) return 11 ;;
    56) grep -q 'CONNECT' "$WORK/said" && return 13 ;;
  esac
  return 12
}
try_wget() {
  limited wget -q -T "$SECONDS_EACH" -t 1 -O /dev/null "$URL" >"$WORK/said" 2>&1
  case $? in
    0 | 8) return 0 ;;
    5) return 10 ;;
  esac
  limited wget -T "$SECONDS_EACH" -t 1 -O /dev/null "$URL" >"$WORK/said" 2>&1
  classify
}
try_python3() {
  limited python3 -c 'import sys, urllib.error, urllib.request
try:
    urllib.request.urlopen(sys.argv[1], timeout=float(sys.argv[2])).read(1)
except urllib.error.HTTPError:
    pass' "$URL" "$SECONDS_EACH" >"$WORK/said" 2>&1 || classify
}
try_requests() {
  limited python3 -c 'import sys, requests
requests.get(sys.argv[1], timeout=float(sys.argv[2]), stream=True)' "$URL" "$SECONDS_EACH" >"$WORK/said" 2>&1 || classify
}
# CONNECT by hand: whether it trusts the CA does not depend on whether this version's fetch reads variables.
try_node() {
  cat >"$WORK/try.js" <<'JS'
const http = require('http'), https = require('https'), url = new URL(process.argv[2]);
const seconds = +process.argv[3];
const named = process.env.HTTPS_PROXY || process.env.https_proxy;
const end = (error) => { console.log(error.code || error.message); process.exit(1); };
setTimeout(() => end({code: 'timed out'}), seconds * 1000);
const port = url.port || 443;
const get = (socket) => https.get({host: url.hostname, port, path: url.pathname + url.search, socket, agent: false},
  () => process.exit(0)).on('error', end);
if (!named) get();
else {
  const proxy = new URL(named);
  http.request({host: proxy.hostname, port: proxy.port || 80, method: 'CONNECT', path: `${url.hostname}:${port}`})
    .on('connect', (answer, socket) => answer.statusCode === 200 ? get(socket) : end({code: 'CONNECT ' + answer.statusCode}))
    .on('error', end).end();
}
JS
  limited node "$WORK/try.js" "$URL" "$SECONDS_EACH" >"$WORK/said" 2>&1 && return 0
  classify
}
try_fetch() {
  limited node -e 'fetch(process.argv[1], {signal: AbortSignal.timeout(process.argv[2] * 1000)}).then(() => process.exit(0),
    (error) => { console.log(error.cause && (error.cause.code || error.cause.message) || error.name + " timeout"); process.exit(1); })' \
    "$URL" "$SECONDS_EACH" >"$WORK/said" 2>&1 && return 0
  classify
}
try_git() {
  GIT_TERMINAL_PROMPT=0 limited git -c http.lowSpeedLimit=1 -c "http.lowSpeedTime=$SECONDS_EACH" ls-remote "$URL" >"$WORK/said" 2>&1 && return 0
  grep -Eqi 'certificate' "$WORK/said" && return 10
  grep -Eqi 'CONNECT tunnel failed|code 403 from proxy|Proxy CONNECT aborted' "$WORK/said" && return 13
  grep -Eqi 'not found|not valid|requested URL returned error|Authentication|could not read Username|remote error|Invalid|dumb' "$WORK/said" && return 0
  classify
}
try_java() {
  cat >"$WORK/Try.java" <<'JAVA'
public class Try {
  public static void main(String[] words) throws Exception {
    var connection = (java.net.HttpURLConnection) new java.net.URL(words[0]).openConnection();
    connection.setConnectTimeout(Integer.parseInt(words[1]) * 1000);
    connection.setReadTimeout(Integer.parseInt(words[1]) * 1000);
    connection.getResponseCode();
  }
}
JAVA
  EXTRA_SECONDS=30 limited java "$WORK/Try.java" "$URL" "$SECONDS_EACH" >"$WORK/said" 2>&1 || classify
}
try_go() {
  cat >"$WORK/try.go" <<'GO'
package main

import (
	"fmt"
	"net/http"
	"os"
	"time"
)

func main() {
	client := &http.Client{Timeout: time.Duration(len(os.Args[2])) * time.Second}
	if seconds, err := time.ParseDuration(os.Args[2] + "s"); err == nil {
		client.Timeout = seconds
	}
	answer, err := client.Get(os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	answer.Body.Close()
}
GO
  EXTRA_SECONDS=120 limited env GO111MODULE=off GOFLAGS= go run "$WORK/try.go" "$URL" "$SECONDS_EACH" >"$WORK/said" 2>&1 || classify
}

# Runs a try with the variables as they should be, or all pointing at a port where nobody is.
with_proxy() { # PROXY-URL FUNCTION
  (
    for name in $VARIABLES; do unset "$name"; done
    export HTTP_PROXY="$1" HTTPS_PROXY="$1" http_proxy="$1" https_proxy="$1"
    case ${JAVA_TOOL_OPTIONS:-} in
      *https.proxyHost*)
        split_address "$(without_scheme "$1")"
        export JAVA_TOOL_OPTIONS="$JAVA_TOOL_OPTIONS -Dhttps.proxyHost=$host -Dhttps.proxyPort=$port"
        ;;
    esac
    "$2"
  )
}
NOWHERE=http://127.0.0.1:1

check_runtime() { # NAME FUNCTION FIX-FOR-CA FIX-FOR-PROXY
  "$2"
  code=$?
  case $code in
    0)
      if with_proxy $NOWHERE "$2"; then
        finding "$1 ignores the proxy: it reaches $URL_HOST without it" "$4; and close the direct way"
      else
        ok "$1: through leash, trusts it"
      fi
      ;;
    10) finding "$1 does not trust leash's CA: $(said)" "$3" ;;
    11)
      if [ -n "$PROXY" ] && with_proxy "$PROXY" "$2"; then
        finding "$1 does not go through leash with the variables as they are; with them all naming $(without_scheme "$PROXY") it does" "$4"
      else
        finding "$1 does not get through: $(said)" "$4"
      fi
      ;;
    13) finding "$1: leash refuses $URL_HOST" "give a URL that its policy allows (leashctl check $URL)" ;;
    *) finding "$1 does not get through: $(said)" "look at leash's log (leashctl tail)" ;;
  esac
}
# The line that says why: the last one, but that of a Java exception stands above its stack.
said() { grep -v -e '^ *$' -e '^[[:space:]]*at ' -e 'JAVA_TOOL_OPTIONS' "$WORK/said" | tail -n 1 | tr -d '\000-\010\013-\037' | cut -c1-200; }

node_can_fetch_by_proxy() {
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a >= 24 || (a === 22 && b >= 21) ? 0 : 1)'
}

check_runtimes() {
  install="sh install-ca.sh CA.pem as root, or"
  variables="source leash-env.sh"
  seen=
  if have curl; then
    seen="$seen curl"
    check_runtime curl try_curl "$install export CURL_CA_BUNDLE=CA.pem" "$variables"
  fi
  if have wget; then
    seen="$seen wget"
    if wget --version >/dev/null 2>&1; then
      check_runtime wget try_wget "$install ca_certificate=CA.pem in ~/.wgetrc" "$variables"
    else
      note "wget: that of busybox, which checks no certificates"
    fi
  fi
  if have python3; then
    seen="$seen python3"
    check_runtime "python3 (ssl)" try_python3 "$install export SSL_CERT_FILE=CA.pem" "$variables"
    if python3 -c 'import requests' 2>/dev/null; then
      check_runtime "python3 (requests)" try_requests "export REQUESTS_CA_BUNDLE=CA.pem: requests brings roots of its own" "$variables"
    fi
  fi
  if have node; then
    seen="$seen node"
    check_runtime node try_node "export NODE_EXTRA_CA_CERTS=CA.pem: node brings roots of its own" "$variables"
    if node_can_fetch_by_proxy; then
      check_runtime "node (fetch)" try_fetch "export NODE_EXTRA_CA_CERTS=CA.pem" "export NODE_USE_ENV_PROXY=1"
    elif node -e 'process.exit(typeof fetch === "function" ? 0 : 1)'; then
      if try_fetch; then
        finding "node (fetch) $(node --version) ignores the proxy, and reaches $URL_HOST without it" \
          "close the direct way; node 24 (22 from 22.21 on) with NODE_USE_ENV_PROXY=1, or undici's EnvHttpProxyAgent"
      else
        note "node (fetch) $(node --version) reads no proxy variables and gets nowhere; node 24 does, or undici's EnvHttpProxyAgent"
      fi
    fi
  fi
  if have git; then
    seen="$seen git"
    check_runtime git try_git "$install export GIT_SSL_CAINFO=CA.pem" "$variables; and look at git config http.proxy"
  fi
  if have java; then
    seen="$seen java"
    if have javac; then
      check_runtime java try_java "sh install-ca.sh CA.pem as root, where keytool is" \
        "java reads no proxy variables: export JAVA_TOOL_OPTIONS='-Dhttps.proxyHost=HOST -Dhttps.proxyPort=8080'"
    else
      note "java: without javac it was not tried"
    fi
  fi
  if have go; then
    seen="$seen go"
    check_runtime go try_go "$install export SSL_CERT_FILE=CA.pem" "$variables"
  fi
  for each in deno cargo ruby php dotnet; do
    ! have $each || note "$each: is here and was not tried"
  done
  [ -n "$seen" ] || note "none of the runtimes that this script knows is here"
}

# Ways around. All at once: where packets are dropped, each takes its whole time.

probe() { # KIND WHAT: the result is a file that exists
  case $1 in
    tcp)
      split_address "$2"
      tcp_open "$host" "$port"
      ;;
    udp)
      split_address "$2"
      udp_answers "$host" "$port"
      ;;
    dns) limited getent hosts "$2" >/dev/null 2>&1 ;;
    ping) limited ping -c 1 -W "$SECONDS_EACH" "$2" >/dev/null 2>&1 ;;
  esac
}

check_around() {
  : >"$WORK/list"
  for each in $TCP; do echo "tcp $each" >>"$WORK/list"; done
  if [ "$CAN_UDP" = yes ]; then
    for each in $UDP; do echo "udp $each" >>"$WORK/list"; done
  else
    note "UDP was not tried: it takes python3 or node"
  fi
  ! have getent || echo "dns $DNS_NAME" >>"$WORK/list"
  if have ping; then
    for each in $TCP; do
      split_address "$each"
      echo "ping $host" >>"$WORK/list"
    done
  fi
  if [ "$CAN_UDP" = none ]; then
    note "the ways around leash were not tried: no program here can open a connection"
    return
  fi
  number=0
  jobs=
  while read -r kind what; do
    number=$((number + 1))
    (probe "$kind" "$what" && : >"$WORK/open.$number") </dev/null &
    jobs="$jobs $!"
  done <"$WORK/list"
  # shellcheck disable=SC2086
  wait $jobs
  before=$FINDINGS
  number=0
  while read -r kind what; do
    number=$((number + 1))
    [ -e "$WORK/open.$number" ] || continue
    close="let the agent's network reach leash and nothing else (docs/DEPLOY.md)"
    case $kind:$what in
      tcp:169.254.169.254:*) finding "the cloud's metadata service is within reach ($what)" "$close; block 169.254.169.254" ;;
      tcp:\[*) finding "IPv6 goes around leash: $what takes connections" "$close, for IPv6 too" ;;
      tcp:*) finding "TCP goes around leash: $what takes connections" "$close" ;;
      udp:\[*) finding "IPv6 goes around leash: $what answers UDP" "$close, for IPv6 too" ;;
      udp:*) finding "UDP goes around leash: $what answers (DNS, QUIC)" "$close, for UDP too" ;;
      dns:*) finding "the name server resolves $what: names can carry data out" "give the agent no name server, or one that knows internal names only" ;;
      ping:*) finding "ICMP goes around leash: $what answers ping" "$close, for ICMP too" ;;
    esac
  done <"$WORK/list"
  [ $FINDINGS -gt "$before" ] || ok "no way around leash: tried $number ($(tr '\n' ',' <"$WORK/list" | sed -e 's/,$//' -e 's/,/, /g'))"
}

check_variables
check_proxy
[ -n "$SKIP_RUNTIMES" ] || check_runtimes
[ -n "$SKIP_AROUND" ] || check_around
if [ $FINDINGS -eq 0 ]; then
  echo "no findings"
  exit 0
fi
[ $FINDINGS -eq 1 ] && echo "1 finding" || echo "$FINDINGS findings"
exit 1
