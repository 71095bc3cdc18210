#!/bin/sh
# An agent's container whose image knows nothing of leash: the CA comes as a Podman secret, the way as variables.
#   sh podman-secret.sh leash-ca.pem IMAGE [COMMAND...]
# The network is the third thing, and not done here: put the container on one that reaches leash and nothing else
# (podman network create --internal ... with leash on it).
set -eu
[ $# -ge 2 ] || { echo "usage: podman-secret.sh CA.pem IMAGE [COMMAND...]" >&2; exit 2; }
ca=$1
shift
podman secret exists leash_ca 2>/dev/null || podman secret create leash_ca "$ca"
# --env-file first: what follows it names the mounted certificate instead of a bundle.
exec podman run --rm --network "${AGENT_NETWORK:-agents}" --cap-drop=all --security-opt=no-new-privileges \
  --secret leash_ca,target=/run/secrets/leash-ca.pem,mode=0444 \
  --env-file "$(dirname "$0")/../leash.env" \
  --env SSL_CERT_FILE=/run/secrets/leash-ca.pem --env CURL_CA_BUNDLE=/run/secrets/leash-ca.pem \
  --env REQUESTS_CA_BUNDLE=/run/secrets/leash-ca.pem --env PIP_CERT=/run/secrets/leash-ca.pem \
  --env GIT_SSL_CAINFO=/run/secrets/leash-ca.pem --env NODE_EXTRA_CA_CERTS=/run/secrets/leash-ca.pem \
  --env CARGO_HTTP_CAINFO=/run/secrets/leash-ca.pem --env DENO_CERT=/run/secrets/leash-ca.pem \
  --env AWS_CA_BUNDLE=/run/secrets/leash-ca.pem --env GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=/run/secrets/leash-ca.pem \
  "$@"
