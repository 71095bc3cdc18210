#!/bin/sh
# In an image under construction: takes Debian packages as they were at a time, where one is given.
set -eu
[ -n "$1" ] || exit 0
. /etc/os-release
cat >/etc/apt/sources.list <<TEXT
deb [check-valid-until=no] http://snapshot.debian.org/archive/debian/$1 $VERSION_CODENAME main
deb [check-valid-until=no] http://snapshot.debian.org/archive/debian-security/$1 $VERSION_CODENAME-security main
TEXT
rm -f /etc/apt/sources.list.d/*
