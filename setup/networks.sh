# Networks as text: is this one, does it cover an address. For setup.sh; bash, and awk for IPv6.
# shellcheck shell=bash

# network_bits ADDRESS[/N]: the family and the first N bits ("4 00001010..."); nothing where it is no address or network.
network_bits() {
  awk -v text="$1" '
    function bits(value, count,   out) {
      for (out = ""; count > 0; count--) { out = value % 2 out; value = int(value / 2) }
      return out
    }
    function hex(word,   value, i, at) {
      if (word !~ /^[0-9a-f][0-9a-f]?[0-9a-f]?[0-9a-f]?$/) exit
      for (i = 1; i <= length(word); i++) {
        at = index("0123456789abcdef", substr(word, i, 1))
        value = value * 16 + at - 1
      }
      return value
    }
    function words(list,   count, each, i, out) {
      if (list == "") return ""
      count = split(list, each, ":")
      for (i = 1; i <= count; i++) out = out bits(hex(each[i]), 16)
      return out
    }
    BEGIN {
      text = tolower(text)
      if (split(text, part, "/") > 2 || text ~ /\/$/) exit
      address = part[1]
      if (address ~ /^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$/) {
        family = 4; size = 32
        split(address, octet, ".")
        for (i = 1; i <= 4; i++) {
          if (octet[i] > 255 || length(octet[i]) > 3) exit
          out = out bits(octet[i], 8)
        }
      } else if (address ~ /^[0-9a-f:]+$/ && address ~ /:/) {
        family = 6; size = 128
        halves = split(address, half, "::")
        if (halves > 2) exit
        if (halves == 2) {
          left = words(half[1]); right = words(half[2])
          if (length(left) + length(right) > 112) exit
          for (out = left; length(out) + length(right) < 128;) out = out "0"
          out = out right
        } else out = words(address)
        if (length(out) != 128) exit
      } else exit
      if (part[2] == "") part[2] = size
      if (part[2] !~ /^[0-9]+$/ || part[2] + 0 > size) exit
      print family, substr(out, 1, part[2])
    }'
}

is_network() { [ -n "$(network_bits "$1")" ]; }
is_ipv6() { case $1 in *:*) true ;; *) false ;; esac; }

# covers NETWORK ADDRESS: the address (or the whole other network) lies in it.
covers() {
  local outer inner
  outer=$(network_bits "$1")
  inner=$(network_bits "$2")
  [ -n "$outer" ] && [ -n "$inner" ] && [[ $inner == "$outer"* ]]
}

# covered_by ADDRESS NETWORK...: one of them covers it.
covered_by() {
  local address=$1 network
  shift
  for network in "$@"; do
    ! covers "$network" "$address" || return 0
  done
  return 1
}

# Interfaces on which this host has addresses, all of them in the networks given: there live agents and nobody else.
interfaces_of() {
  local name address line inside outside seen=
  while read -r _ name _ address _; do
    case " $seen " in *" $name "*) ;; *) seen="$seen $name" ;; esac
  done < <(ip -o addr show scope global)
  for name in $seen; do
    inside='' outside=''
    while read -r line; do
      if covered_by "$line" "$@"; then inside=yes; else outside=yes; fi
    done < <(ip -o addr show dev "$name" scope global | awk '{ sub("/.*", "", $4); print $4 }')
    [ -z "$inside" ] || [ -n "$outside" ] || echo "$name"
  done
}
