# From the Python leash on mitmproxy, whose agents shall notice nothing: its CA, policy and log are kept. For setup.sh; bash.
# shellcheck shell=bash

OLD=/var/lib/leash

migrate() {
  stop_old_units
  migrate_policy
  migrate_ca
  migrate_log
  drop_old_forwarding
}

is_old_unit() { [ -f "$1" ] && grep -q '/root/.mitmproxy\|localhost/logviewer' "$1"; }

stop_old_units() {
  local name file
  for name in logviewer leash; do
    file=/etc/containers/systemd/$name.container
    is_old_unit "$file" || continue
    did "stop the old $name and move $file to $file.bak"
    [ -n "$DRY_RUN" ] || ! is_booted || systemctl stop "$name.service" || warn "$name.service did not stop"
    run mv "$file" "$file.bak"
    RELOAD_UNITS=yes
  done
  file=$UNITS/multi-user.target.d/leash.conf
  if [ -f "$file" ] && grep -q 'logviewer' "$file"; then
    did "remove $file, which started the old units"
    run rm "$file"
    run rmdir --ignore-fail-on-non-empty "${file%/*}"
  fi
}

# set_aside FILE: it has been taken over.
set_aside() { run mv "$1" "$1.bak"; }

take_list() { # FILE KEY NEW_KEY: prints it as a policy file
  /usr/bin/python3 "$HERE/setup/policy_files.py" take "$1" "$2" "$3"
}

# The oldest form: one allowlist.yaml with networks and destinations.
migrate_policy() {
  local old=$POLICY/allowlist.yaml mine=$HERE/policy/enforce.local.yaml
  if [ -f "$old" ] && [ ! -e "$POLICY/enforce.yaml" ]; then
    did "make enforce.yaml and agents.yaml of $old"
    if [ -z "$DRY_RUN" ]; then
      take_list "$old" allowed_destinations allow >"$WORK/enforce.yaml" || die "$old cannot be read"
      place 0640 root:leash "$WORK/enforce.yaml" "$POLICY/enforce.yaml"
      if [ ! -e "$POLICY/agents.yaml" ] && take_list "$old" agent_networks agent_networks >"$WORK/agents.yaml"; then
        place 0640 root:leash "$WORK/agents.yaml" "$POLICY/agents.yaml"
      fi
    fi
    set_aside "$old"
  fi
  old=$POLICY/allowlist.local.yaml
  if [ -f "$old" ]; then
    if [ ! -e "$mine" ]; then
      did "make policy/enforce.local.yaml of $old"
      if [ -z "$DRY_RUN" ]; then
        take_list "$old" allowed_destinations allow >"$WORK/local" || die "$old cannot be read"
        install -m 0644 "$WORK/local" "$mine"
      fi
    fi
    set_aside "$old"
  fi
}

migrate_ca() {
  local old=$OLD/mitmproxy ca=/var/lib/leash/ca name
  [ -f "$old/mitmproxy-ca.pem" ] && [ ! -e "$ca/mitmproxy-ca.pem" ] && [ ! -e "$ca/leash-ca-key.pem" ] || return 0
  did "copy the CA of $old to $ca: agents go on trusting it"
  place 0600 leash:leash "$old/mitmproxy-ca.pem" "$ca/mitmproxy-ca.pem"
  name=mitmproxy-ca-cert.pem
  [ ! -f "$old/$name" ] || place 0644 leash:leash "$old/$name" "$ca/$name"
}

migrate_log() {
  local old new=/var/log/leash/egress.jsonl
  [ ! -e "$new" ] || return 0
  for old in "$OLD/logs/egress.jsonl" "$OLD/logs/leash.jsonl"; do
    [ -f "$old" ] || continue
    did "move $old to $new: it goes on there, and its chain begins behind what is in it"
    if [ -z "$DRY_RUN" ]; then
      mv "$old" "$new"
      chown leash:leash "$new"
      chmod 0640 "$new"
    fi
    return 0
  done
}

# The old set-up forwarded and masqueraded what agents sent past the proxy.
drop_old_forwarding() {
  local file=/etc/sysctl.d/99-leash-forward.conf networks network out
  [ -f "$file" ] || return 0
  did "remove $file (forwarding stays on until the next boot or 'sysctl net.ipv4.ip_forward=0')"
  run rm "$file"
  have iptables || return 0
  networks=$(networks_in "$POLICY/agents.yaml")
  out=$(ip route show default | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
  for network in $networks 10.10.10.0/24; do
    is_ipv6 "$network" && continue
    while iptables -t nat -C POSTROUTING -s "$network" -o "$out" -j MASQUERADE 2>/dev/null; do
      did "remove the NAT rule of $network to $out"
      [ -z "$DRY_RUN" ] || break
      iptables -t nat -D POSTROUTING -s "$network" -o "$out" -j MASQUERADE
      ! have netfilter-persistent || netfilter-persistent save >/dev/null 2>&1 || warn "netfilter-persistent cannot save"
    done
  done
}
