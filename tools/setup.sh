#!/usr/bin/env bash
# Installs the Debian packages of the lists named (tools/packages/NAME.txt) that are not here yet.
set -euo pipefail
cd "$(dirname "$0")/packages"

missing=()
for list in "$@"; do
  while read -r package; do
    case "$package" in ''|'#'*) continue ;; esac
    # Where node is there from elsewhere, it has brought its npm; Debian's packages of both would not go beside it.
    case "$package" in
      nodejs) ! command -v node >/dev/null || continue ;;
      npm) ! command -v npm >/dev/null || continue ;;
    esac
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
  done < "$list.txt"
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "setup: these packages are missing, and this is neither root nor is sudo here:" >&2
    echo "  apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "setup: installing ${missing[*]}"
# Tests and benchmarks want these as programs. The services that their packages bring would take ports,
# now and at each boot.
services=()
for package in nginx-light haproxy squid-openssl tinyproxy nghttp2-proxy; do
  [[ " ${missing[*]} " == *" $package "* ]] || continue
  case "$package" in
    nginx-light)
      dpkg-query -W -f '${db:Status-Status}' nginx-common 2>/dev/null | grep -qx installed ||
        services+=(nginx)
      ;;
    squid-openssl) services+=(squid) ;;
    nghttp2-proxy) services+=(nghttpx) ;;
    *) services+=("$package") ;;
  esac
done
if [ ${#services[@]} -gt 0 ]; then
  policy=/usr/sbin/policy-rc.d
  [ ! -e "$policy" ] || policy=
  [ -z "$policy" ] ||
    "${as_root[@]}" sh -c "printf '#!/bin/sh\nexit 101\n' > $policy && chmod 755 $policy"
  leave_no_service() {
    [ -z "$policy" ] || "${as_root[@]}" rm -f "$policy"
    "${as_root[@]}" systemctl -q disable "${services[@]/%/.service}" 2>/dev/null || true
  }
  trap leave_no_service EXIT
fi
install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}"
}
# A machine that was never updated, or long ago, knows no package or only old ones.
if ! apt-cache policy "${missing[@]}" 2>/dev/null | grep -q 'Candidate: [0-9]' || ! install; then
  "${as_root[@]}" apt-get update -qq
  install
fi
