# To be sourced by an agent's shell, or to lie in /etc/profile.d: the way to leash, and its CA, for each runtime.
#
#   LEASH_PROXY    http://HOST:PORT (default http://10.10.10.1:8080)
#   LEASH_CA_FILE  the CA's certificate alone (default: where install-ca.sh puts it)
#
# shellcheck shell=sh

: "${LEASH_PROXY:=http://10.10.10.1:8080}"

if [ -z "${LEASH_CA_FILE:-}" ]; then
  for LEASH_CA_FILE in /usr/local/share/ca-certificates/leash-ca.crt /etc/pki/ca-trust/source/anchors/leash-ca.pem \
    /etc/leash/leash-ca.pem; do
    [ ! -r "$LEASH_CA_FILE" ] || break
  done
fi
if [ ! -r "$LEASH_CA_FILE" ]; then
  echo "leash-env.sh: $LEASH_CA_FILE cannot be read; run install-ca.sh, or set LEASH_CA_FILE" >&2
fi

# What replaces a program's own roots gets the system's bundle where install-ca.sh has put the CA into it, so that hosts
# which leash splices keep working; else the CA alone.
_leash_bundle=$LEASH_CA_FILE
case $LEASH_CA_FILE in
  /usr/local/share/ca-certificates/* | /etc/pki/ca-trust/*)
    for _leash_each in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
      if [ -r "$_leash_each" ]; then
        _leash_bundle=$_leash_each
        break
      fi
    done
    ;;
esac

_leash_hostport=${LEASH_PROXY#*://}
_leash_hostport=${_leash_hostport%/}
_leash_host=${_leash_hostport%:*}
_leash_port=${_leash_hostport##*:}

# Both spellings: curl reads http_proxy in small letters only, others read the large ones.
export HTTP_PROXY="$LEASH_PROXY" HTTPS_PROXY="$LEASH_PROXY" http_proxy="$LEASH_PROXY" https_proxy="$LEASH_PROXY"
export NO_PROXY=localhost,127.0.0.1 no_proxy=localhost,127.0.0.1

export SSL_CERT_FILE="$_leash_bundle"      # OpenSSL, Go, Python's ssl and httpx, Ruby, rustls-native-certs, uv
export CURL_CA_BUNDLE="$_leash_bundle"     # curl
export REQUESTS_CA_BUNDLE="$_leash_bundle" # Python requests
export PIP_CERT="$_leash_bundle"           # pip
export AWS_CA_BUNDLE="$_leash_bundle"      # AWS command line, boto3
export GRPC_DEFAULT_SSL_ROOTS_FILE_PATH="$_leash_bundle"
export GIT_SSL_CAINFO="$_leash_bundle"
export CARGO_HTTP_CAINFO="$_leash_bundle"
export DENO_CERT="$LEASH_CA_FILE"          # adds
export NODE_EXTRA_CA_CERTS="$LEASH_CA_FILE" # adds; npm, pnpm and yarn are Node
export NODE_USE_ENV_PROXY=1                # fetch and http of Node 24, and 22 from 22.21 on
# Java reads no environment but this; it says so on stderr at each start. The CA is in cacerts (install-ca.sh).
export JAVA_TOOL_OPTIONS="-Dhttp.proxyHost=$_leash_host -Dhttp.proxyPort=$_leash_port -Dhttps.proxyHost=$_leash_host -Dhttps.proxyPort=$_leash_port -Dhttp.nonProxyHosts=localhost|127.0.0.1"

unset _leash_bundle _leash_each _leash_hostport _leash_host _leash_port
