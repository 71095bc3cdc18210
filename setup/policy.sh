# The policy directory: what a new installation starts with, never over an edit. For setup.sh; bash.
# shellcheck shell=bash

POLICY=/etc/leash

# policy_source NAME: what shall be installed as NAME; policy/NAME with the entries of policy/NAME.local.yaml, where there is one.
policy_source() {
  local name=$1 base=$HERE/policy/$1 local_file=$HERE/policy/${1%.yaml}.local.yaml
  if [ -f "$local_file" ]; then
    /usr/bin/python3 "$HERE/setup/policy_files.py" merge "$base" "$local_file" >"$WORK/$name" ||
      die "policy/${local_file##*/} is not what policy/$name is: a mapping with a list"
    echo "$WORK/$name"
  else
    echo "$base"
  fi
}

# agents.yaml follows setup.conf; one that names the same networks is well as it is.
install_agents() {
  local network now
  now=$(networks_in "$POLICY/agents.yaml")
  if [ -f "$POLICY/agents.yaml" ] && [ "$now" = "$AGENT_NETWORKS" ]; then
    mend_mode 0640 root:leash "$POLICY/agents.yaml"
    return
  fi
  {
    sed '/^agent_networks:/,$d' "$HERE/policy/agents.yaml"
    [ -n "$AGENT_NETWORKS" ] || echo 'agent_networks: []'
    [ -z "$AGENT_NETWORKS" ] || echo 'agent_networks:'
    for network in $AGENT_NETWORKS; do echo "  - \"$network\""; done
  } | put_text 0640 root:leash "$POLICY/agents.yaml"
  [ ! -f "$POLICY/agents.yaml.new" ] ||
    warn "agents.yaml names other networks ($now) than $CONF ($AGENT_NETWORKS), which the firewall fences in"
}

# Who writes the lists and the mode besides root: the console, where there is one. Its group is leash's, so the folder is open to
# the group, with the sticky bit: it replaces its own files there and nobody else's, neither the rules of the firewall nor the
# networks that it refuses.
install_policy() {
  local name writer=root mode=0750
  if has_console; then writer=leash-console mode=1770; fi
  put_directory "$mode" root:leash "$POLICY"
  for name in enforce.yaml blocklist.yaml; do
    put_file 0640 "$writer:leash" "$(policy_source "$name")" "$POLICY/$name"
  done
  install_agents
  # One word, which leashctl changes: never anything but a start.
  if [ ! -e "$POLICY/mode" ]; then
    put_file 0640 "$writer:leash" "$HERE/policy/mode" "$POLICY/mode"
  else
    mend_mode 0640 "$writer:leash" "$POLICY/mode"
  fi
  take_hash "$HERE/policy/mode"
  record file "$HASH" "$POLICY/mode"
  put_file 0640 root:leash "$HERE/systemd/leash.yaml" "$POLICY/leash.yaml"
  [ -z "$PUT" ] || RESTART=yes
}

# The networks of an agents.yaml that is there, as words.
networks_in() {
  [ ! -f "$1" ] || sed -n '/^agent_networks:/,$p' "$1" | sed -e 's/#.*//' -e '1s/^agent_networks://' |
    sed '/^[A-Za-z_]/,$d' | tr -d '"'"'"'[]' | tr ',\t' '  ' | sed 's/^ *- *//' | xargs
}
