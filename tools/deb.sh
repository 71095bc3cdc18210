#!/usr/bin/env bash
# Makes the .deb packages in build/packages, of the programs as `make build` makes them.
set -euo pipefail
cd "$(dirname "$0")/.."

out=build/packages
rm -rf "$out"
mkdir -p "$out"
# The same packages from the same sources: times in them are those of the changelog's last entry.
SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -S Timestamp)
export SOURCE_DATE_EPOCH DESTDIR=$PWD/$out
umask 022
as_root=(fakeroot)
[ "$(id -u)" -ne 0 ] || as_root=()
"${as_root[@]}" debian/rules clean >"$out/log" 2>&1
"${as_root[@]}" debian/rules binary >>"$out/log" 2>&1 || {
  tail -n 40 "$out/log" >&2
  echo "deb: failed; all of it is in $out/log" >&2
  exit 1
}
"${as_root[@]}" debian/rules clean >/dev/null 2>&1
ls -1 "$out"/*.deb
