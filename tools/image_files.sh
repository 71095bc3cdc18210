#!/bin/sh
# In an image under construction: what the last stage takes over, in the folder named: bin/, policy/, and packages, the list of
# Debian packages that the programs' libraries come from.
set -eu
out=$1
mkdir -p "$out/bin" "$out/policy"
for program in leash leashctl leash-console; do
  [ ! -e "build/$program" ] || install -m 0755 "build/$program" "$out/bin/$program"
done
cp policy/* "$out/policy/"
ldd "$out"/bin/* | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' | sort -u | xargs -n 1 readlink -f | xargs dpkg -S 2>/dev/null |
  cut -d: -f1 | sort -u >"$out/packages"
[ -s "$out/packages" ]
