#!/bin/sh
# Makes this machine or container trust leash's CA: system store, Java, NSS (Chromium, Firefox).
set -eu

NAME=leash-ca
WANTED=
DRY=
ACTION=install
SCOPE=system
FILE=
PASS=${LEASH_KEYSTORE_PASS:-changeit}
BEGIN_MARK='# leash CA begin'
END_MARK='# leash CA end'

usage() {
  cat <<'TEXT'
usage: install-ca.sh [OPTIONS] CA.pem
       install-ca.sh --uninstall [OPTIONS]

Makes this machine or container trust leash's CA: the system store (Debian, Ubuntu, Alpine, Fedora and
their kin), Java where keytool is, NSS databases where certutil is. Can be run again at any time.

  --sha256 FINGERPRINT  refuse any other certificate; as `leashctl ca` prints it, colons or not
  --name NAME           what it is called in the stores (default leash-ca); a second name holds a second CA
  --user                only this user's NSS databases (Chromium, Firefox); needs no root
  --uninstall           take it out again
  --dry-run             say what would be done, do nothing

LEASH_KEYSTORE_PASS is the password of Java's cacerts (default changeit).
Exit codes: 0 done, 1 did not work or refused, 2 wrong use.
TEXT
}

say() { printf '%s\n' "$*"; }
did() { [ -n "$DRY" ] || say "$*"; }
fail() {
  printf 'install-ca.sh: %s\n' "$*" >&2
  exit 1
}
wrong_use() {
  printf 'install-ca.sh: %s (see --help)\n' "$*" >&2
  exit 2
}
have() { command -v "$1" >/dev/null 2>&1; }

# Carries out the words, or says them.
run() {
  if [ -n "$DRY" ]; then
    say "would run: $*"
  else
    "$@"
  fi
}

while [ $# -gt 0 ]; do
  case $1 in
    --sha256 | --name)
      [ $# -ge 2 ] || wrong_use "$1 needs a value"
      if [ "$1" = --sha256 ]; then WANTED=$2; else NAME=$2; fi
      shift
      ;;
    --sha256=*) WANTED=${1#*=} ;;
    --name=*) NAME=${1#*=} ;;
    --user) SCOPE=user ;;
    --uninstall) ACTION=uninstall ;;
    --dry-run) DRY=yes ;;
    -h | --help)
      usage
      exit 0
      ;;
    -*) wrong_use "no such option: $1" ;;
    *)
      [ -z "$FILE" ] || wrong_use "more than one file"
      FILE=$1
      ;;
  esac
  shift
done
# It becomes the name of a file.
case $NAME in
  '' | -* | *[!A-Za-z0-9_-]*) wrong_use "--name takes letters, digits, - and _" ;;
esac
[ "$ACTION" = uninstall ] || [ -n "$FILE" ] || wrong_use "which certificate?"

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
trap 'exit 1' HUP INT TERM
PEM=$WORK/ca.pem

# The one certificate of $FILE, without the text round it, in $PEM; its fingerprint in $PRINT. Nothing but base64, od and
# sha256sum, which busybox has too: slim images come without openssl.
read_certificate() {
  if [ ! -f "$FILE" ] || [ ! -r "$FILE" ]; then fail "$FILE: cannot be read"; fi
  ! grep -q 'PRIVATE KEY' "$FILE" || fail "$FILE: holds a private key; agents get the certificate alone (leash-ca-cert.pem)"
  count=$(grep -c -e '-----BEGIN CERTIFICATE-----' "$FILE" || true)
  [ "$count" = 1 ] || fail "$FILE: $count certificates in PEM, not one"
  tr -d '\r' <"$FILE" | sed -n '/-----BEGIN CERTIFICATE-----/,/-----END CERTIFICATE-----/p' >"$PEM"
  sed -e '/-----/d' "$PEM" | base64 -d >"$WORK/ca.der" 2>/dev/null || fail "$FILE: is no certificate (its base64 is broken)"
  HEX=$(od -An -v -tx1 "$WORK/ca.der" | tr -d ' \n')
  case $HEX in
    3082*) ;;
    *) fail "$FILE: is no certificate" ;;
  esac
  length=$(printf '%d' "0x$(printf '%s' "$HEX" | cut -c5-8)")
  [ "${#HEX}" = $(((length + 4) * 2)) ] || fail "$FILE: is no certificate (cut off, or with more behind it)"
  # BasicConstraints (2.5.29.19), critical or not, with cA TRUE.
  printf '%s' "$HEX" | grep -Eq '0603551d13(0101ff)?04[0-9a-f]{2}30[0-9a-f]{2}0101ff' ||
    fail "$FILE: is not the certificate of a CA"
  PRINT=$(sha256sum <"$WORK/ca.der" | cut -d' ' -f1)
  if [ -n "$WANTED" ]; then
    wanted=$(printf '%s' "$WANTED" | tr -d ': ' | tr A-F a-f)
    [ "$wanted" = "$PRINT" ] || fail "$FILE: its SHA-256 is $PRINT, not $wanted"
  fi
  if have openssl && ! openssl x509 -in "$PEM" -noout -checkend 0 >/dev/null 2>&1; then
    fail "$FILE: has expired, or openssl cannot read it"
  fi
}

# The system store

ANCHOR= # where the certificate goes
REBUILD= # the program that makes the bundle
BUNDLE= # where there is no such program: the bundle itself

find_store() {
  if have update-ca-certificates; then
    ANCHOR=/usr/local/share/ca-certificates/$NAME.crt REBUILD=update-ca-certificates
  elif have update-ca-trust; then
    ANCHOR=/etc/pki/ca-trust/source/anchors/$NAME.pem REBUILD=update-ca-trust
  else
    # An image with a bundle and no more, such as Alpine's. The anchor is for the ca-certificates package that may come.
    ANCHOR=/usr/local/share/ca-certificates/$NAME.crt
    for each in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
      [ -f "$each" ] && BUNDLE=$(readlink -f "$each") && break
    done
  fi
}

# Everything but our block.
without_ours() { sed -e "/^$BEGIN_MARK $NAME\$/,/^$END_MARK $NAME\$/d" "$1"; }

# In place, so that owner, mode and links to it stay.
write_bundle() {
  if [ -n "$DRY" ]; then
    say "would write: $BUNDLE"
  else
    cat "$1" >"$BUNDLE"
  fi
}

rebuild_store() {
  if [ -n "$DRY" ]; then
    say "would run: $REBUILD"
    return 0
  fi
  "$REBUILD" >"$WORK/rebuild" 2>&1 || {
    cat "$WORK/rebuild" >&2
    fail "$REBUILD failed"
  }
}

install_store() {
  find_store
  if [ -f "$ANCHOR" ] && cmp -s "$PEM" "$ANCHOR"; then
    state='has it'
  else
    state=installed
    run mkdir -p "${ANCHOR%/*}"
    run cp "$PEM" "$ANCHOR"
    run chmod 644 "$ANCHOR"
  fi
  if [ -n "$REBUILD" ]; then
    rebuild_store
    did "system store: $state, $ANCHOR"
  elif [ -n "$BUNDLE" ]; then
    {
      without_ours "$BUNDLE"
      say "$BEGIN_MARK $NAME"
      cat "$PEM"
      say "$END_MARK $NAME"
    } >"$WORK/bundle"
    cmp -s "$WORK/bundle" "$BUNDLE" || write_bundle "$WORK/bundle"
    did "system store: in $BUNDLE; run this again when ca-certificates has been installed"
  else
    say "system store: there is none; point programs at $ANCHOR (leash-env.sh)"
  fi
}

uninstall_store() {
  find_store
  was_there=
  if [ -f "$ANCHOR" ]; then
    was_there=removed
    run rm -f "$ANCHOR"
  fi
  if [ -n "$REBUILD" ]; then
    # Debian's program takes a certificate that has gone out of the bundle and leaves its links, which Java's hook and
    # OpenSSL's directory then trip over.
    for each in /etc/ssl/certs/*; do
      [ -L "$each" ] || continue
      case $(readlink "$each") in
        "$ANCHOR" | "$NAME.pem" | "ca-cert-$NAME.pem") run rm -f "$each" ;;
      esac
    done
    [ -z "$was_there" ] || rebuild_store
  elif [ -n "$BUNDLE" ] && grep -q "^$BEGIN_MARK $NAME\$" "$BUNDLE"; then
    was_there=removed
    without_ours "$BUNDLE" >"$WORK/bundle"
    write_bundle "$WORK/bundle"
  fi
  did "system store: ${was_there:-nothing to remove}"
}

# Java: each cacerts there is, once

keystores() {
  tool=$(readlink -f "$(command -v keytool)")
  for each in "${tool%/bin/*}/lib/security/cacerts" "${tool%/bin/*}/jre/lib/security/cacerts" \
    "${JAVA_HOME:-/nowhere}/lib/security/cacerts" "${JAVA_HOME:-/nowhere}/jre/lib/security/cacerts" \
    /usr/lib/jvm/*/lib/security/cacerts /usr/lib/jvm/*/jre/lib/security/cacerts /opt/java/*/lib/security/cacerts; do
    [ ! -f "$each" ] || readlink -f "$each"
  done | sort -u
}

# The fingerprints of the store, small letters without colons.
prints_of() {
  keytool -list -keystore "$1" -storepass "$PASS" 2>/dev/null | sed -n 's/.*(SHA-256): *//p' | tr -d ':' | tr A-F a-f
}
has_alias() { keytool -list -keystore "$1" -storepass "$PASS" -alias "$2" >/dev/null 2>&1; }

install_java() {
  have keytool || return 0
  for store in $(keystores); do
    if prints_of "$store" | grep -qx "$PRINT"; then
      say "Java: has it, $store"
      continue
    fi
    if [ -n "$DRY" ]; then
      say "would import into: $store"
      continue
    fi
    ! has_alias "$store" "$NAME" || keytool -delete -keystore "$store" -storepass "$PASS" -alias "$NAME" >/dev/null 2>&1
    keytool -importcert -noprompt -trustcacerts -keystore "$store" -storepass "$PASS" -alias "$NAME" -file "$PEM" \
      >"$WORK/keytool" 2>&1 || {
      cat "$WORK/keytool" >&2
      fail "keytool cannot write $store"
    }
    say "Java: installed, $store"
  done
}

uninstall_java() {
  have keytool || return 0
  for store in $(keystores); do
    # The second is what Debian's own hook calls it.
    for alias in "$NAME" "debian:$NAME.pem"; do
      has_alias "$store" "$alias" || continue
      run keytool -delete -keystore "$store" -storepass "$PASS" -alias "$alias" >"$WORK/keytool" 2>&1 || {
        cat "$WORK/keytool" >&2
        fail "keytool cannot write $store"
      }
      [ -z "$DRY" ] || cat "$WORK/keytool"
      did "Java: removed, $store"
    done
  done
}

# NSS

# The databases of this user and, with $1, the system's. Never those of others: root would follow what they put there.
databases() {
  [ -z "$1" ] || [ ! -f /etc/pki/nssdb/cert9.db ] || say /etc/pki/nssdb
  home=${HOME:-/nowhere}
  if [ -f "$home/.pki/nssdb/cert9.db" ]; then
    say "$home/.pki/nssdb"
  elif [ "$ACTION" = install ] && [ -d "$home" ]; then
    for each in chromium chromium-browser google-chrome google-chrome-stable chrome microsoft-edge; do
      have "$each" && say "$home/.pki/nssdb" && break
    done
  fi
  for each in "$home"/.mozilla/firefox/*/cert9.db "$home"/snap/firefox/common/.mozilla/firefox/*/cert9.db; do
    [ ! -f "$each" ] || say "${each%/cert9.db}"
  done
}

install_nss() {
  have certutil || return 0
  databases "$1" | while IFS= read -r dir; do
    certutil -L -d "sql:$dir" -n "$NAME" -a >"$WORK/there" 2>/dev/null || : >"$WORK/there"
    if [ "$(sed -e '/-----/d' "$WORK/there" | tr -d '\r\n')" = "$(sed -e '/-----/d' "$PEM" | tr -d '\n')" ]; then
      say "NSS: has it, $dir"
      continue
    fi
    if [ -n "$DRY" ]; then
      say "would import into: $dir"
      continue
    fi
    if [ ! -f "$dir/cert9.db" ]; then
      mkdir -p "$dir"
      certutil -N -d "sql:$dir" --empty-password
    fi
    [ ! -s "$WORK/there" ] || certutil -D -d "sql:$dir" -n "$NAME"
    certutil -A -d "sql:$dir" -n "$NAME" -t C,, -i "$PEM" </dev/null || fail "certutil cannot write $dir"
    say "NSS: installed, $dir"
  done
}

uninstall_nss() {
  have certutil || return 0
  databases "$1" | while IFS= read -r dir; do
    certutil -L -d "sql:$dir" -n "$NAME" >/dev/null 2>&1 || continue
    run certutil -D -d "sql:$dir" -n "$NAME" || fail "certutil cannot write $dir"
    did "NSS: removed, $dir"
  done
}

[ "$SCOPE" = user ] || [ -n "$DRY" ] || [ "$(id -u)" = 0 ] || fail "run as root, or with --user for this user's browsers only"

if [ "$ACTION" = uninstall ]; then
  if [ "$SCOPE" = system ]; then
    uninstall_store
    uninstall_java
    uninstall_nss yes
  else
    uninstall_nss ''
  fi
  exit 0
fi

read_certificate
say "certificate: SHA-256 $PRINT"
if [ "$SCOPE" = system ]; then
  install_store
  install_java
  install_nss yes
else
  have certutil || fail "certutil is not here (libnss3-tools, nss-tools)"
  install_nss ''
fi
