#!/usr/bin/env bash
# Installs the Debian packages of the lists named (tools/packages/NAME.txt) that are not here yet.
set -euo pipefail
cd "$(dirname "$0")/packages"

missing=()
for list in "$@"; do
  while read -r package; do
    case "$package" in ''|'#'*) continue ;; esac
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
install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}"
}
# A machine that was never updated, or long ago, knows no package or only old ones.
if ! apt-cache policy "${missing[@]}" 2>/dev/null | grep -q 'Candidate: [0-9]' || ! install; then
  "${as_root[@]}" apt-get update -qq
  install
fi
