# The command line of setup.sh and what it keeps in setup.conf. Bash.
# shellcheck shell=bash

parse() {
  while [ $# -gt 0 ]; do
    case $1 in
      --native | --container) KIND=${1#--} ;;
      --dry-run) DRY_RUN=yes ;;
      --yes | -y) YES=yes ;;
      --uninstall) ACTION=uninstall ;;
      --purge) PURGE=yes ;;
      --programs | --packages | --agent-network | --agent-interface | --management-network)
        [ $# -ge 2 ] || die "$1 needs a value"
        take "$1" "$2"
        shift
        ;;
      --programs=* | --packages=* | --agent-network=* | --agent-interface=* | --management-network=*) take "${1%%=*}" "${1#*=}" ;;
      -h | --help)
        usage
        exit 0
        ;;
      *) die "unknown option: $1 (see --help)" ;;
    esac
    shift
  done
  [ -z "$PURGE" ] || [ "$ACTION" = uninstall ] || die "--purge goes with --uninstall"
  [ -z "$PROGRAMS" ] || [ -z "$PACKAGES" ] || die "--programs or --packages, not both"
}

take() {
  case $1 in
    --programs) PROGRAMS=$(cd "$2" 2>/dev/null && pwd) || die "no such directory: $2" ;;
    --packages) PACKAGES=$(cd "$2" 2>/dev/null && pwd) || die "no such directory: $2" ;;
    --agent-network | --management-network)
      [ "$2" = none ] || is_network "$2" || die "$1: not a network: $2"
      if [ "$1" = --agent-network ]; then
        AGENT_NETWORKS_GIVEN="${AGENT_NETWORKS_GIVEN:+$AGENT_NETWORKS_GIVEN }$2"
      else
        MANAGEMENT_NETWORKS_GIVEN="${MANAGEMENT_NETWORKS_GIVEN:+$MANAGEMENT_NETWORKS_GIVEN }$2"
      fi
      ;;
    --agent-interface)
      is_interface "$2" || die "$1: not an interface's name: $2"
      AGENT_INTERFACES_GIVEN="${AGENT_INTERFACES_GIVEN:+$AGENT_INTERFACES_GIVEN }$2"
      ;;
  esac
}

is_interface() { [[ $1 =~ ^[A-Za-z0-9_.@:-]{1,15}$ ]]; }

# One value of setup.conf, read as text: it is no script.
conf_value() {
  [ ! -f "$CONF" ] || sed -n "s/^$1 *= *//p" "$CONF" | tail -n 1 | tr -d '"' | xargs
}

read_conf() {
  local word
  [ -n "$KIND" ] || KIND=$(conf_value kind)
  case $KIND in '' | native | container) ;; *) die "$CONF: kind is native or container, not $KIND" ;; esac
  CONF_AGENT_NETWORKS=$(conf_value agent_networks)
  CONF_AGENT_INTERFACES=$(conf_value agent_interfaces)
  CONF_MANAGEMENT_NETWORKS=$(conf_value management_networks)
  for word in $CONF_AGENT_NETWORKS $CONF_MANAGEMENT_NETWORKS; do
    is_network "$word" || die "$CONF: not a network: $word"
  done
  for word in $CONF_AGENT_INTERFACES; do
    is_interface "$word" || die "$CONF: not an interface's name: $word"
  done
}

given_or() { # GIVEN KEPT: the list in force
  local word list=
  for word in ${1:-$2}; do
    [ "$word" = none ] || list="${list:+$list }$word"
  done
  echo "$list"
}

# Which networks and interfaces there are, after a migration may have brought an agents.yaml.
settle_networks() {
  local client default
  if [ -n "$AGENT_NETWORKS_GIVEN" ] || [ -f "$CONF" ]; then
    AGENT_NETWORKS=$(given_or "$AGENT_NETWORKS_GIVEN" "$CONF_AGENT_NETWORKS")
  elif [ -f "$POLICY/agents.yaml" ]; then
    AGENT_NETWORKS=$(networks_in "$POLICY/agents.yaml")
  else
    AGENT_NETWORKS=$(networks_in "$(policy_source agents.yaml)")
  fi
  MANAGEMENT_NETWORKS=$(given_or "$MANAGEMENT_NETWORKS_GIVEN" "$CONF_MANAGEMENT_NETWORKS")
  for client in $AGENT_NETWORKS; do
    is_network "$client" || die "$POLICY/agents.yaml: not a network: $client"
  done
  if [ -n "$AGENT_INTERFACES_GIVEN" ] || [ -f "$CONF" ]; then
    AGENT_INTERFACES=$(given_or "$AGENT_INTERFACES_GIVEN" "$CONF_AGENT_INTERFACES")
  else
    AGENT_INTERFACES=
    default=" $( (ip route show default; ip -6 route show default) 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p' | sort -u | xargs) "
    # shellcheck disable=SC2086
    for client in $(interfaces_of $AGENT_NETWORKS); do
      if [[ $default == *" $client "* ]]; then
        warn "the way to the internet is $client, on which agents are, too: they can pass leash by on their own network"
      else
        AGENT_INTERFACES="${AGENT_INTERFACES:+$AGENT_INTERFACES }$client"
      fi
    done
  fi
  [ -n "$AGENT_NETWORKS" ] || warn "no agent network: port 8080 is closed to everybody but this host (--agent-network)"
  # Whoever types this would be fenced in with the agents.
  client=${SSH_CONNECTION:-}
  client=${client%% *}
  # shellcheck disable=SC2086
  if [ -n "$client" ] && covered_by "$client" $AGENT_NETWORKS; then
    die "you come from $client, which is in an agents' network: the firewall would lock you out"
  fi
}

write_conf() {
  put_conf <<TEXT
# What setup.sh was told. Change it here, or by options of setup.sh, and run it again.
kind = $KIND
# Where agents live: they reach port 8080 of this host, and through it nothing.
agent_networks = $AGENT_NETWORKS
# Interfaces behind which there are agents and nobody else: a packet from there with another source address is dropped.
agent_interfaces = $AGENT_INTERFACES
# Who reaches the console, port 8090.
management_networks = $MANAGEMENT_NETWORKS
TEXT
}

# Its lines say what is in force, whoever wrote them last.
put_conf() {
  cat >"$WORK/conf"
  if [ ! -f "$CONF" ] || ! cmp -s "$WORK/conf" "$CONF"; then
    did "write $CONF"
    place 0644 root:root "$WORK/conf" "$CONF"
  fi
  record conf - "$CONF"
}
