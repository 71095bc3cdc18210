#!/usr/bin/env bash
# Prints the nftables rules that fence agents in, for `nft -f`:
#   firewall.sh AGENT_NETWORKS AGENT_INTERFACES MANAGEMENT_NETWORKS     each a list of words, perhaps empty
#
# They are a table of their own. Other tables (Podman's, Docker's, ufw's, yours) stay what they are; what this one refuses no
# other one can let pass.
set -euo pipefail

# members NAME TYPE FLAGS ELEMENT...: a set; without elements it matches nothing.
members() {
  local name=$1 type=$2 flags=$3 list
  shift 3
  printf '\tset %s {\n\t\ttype %s\n' "$name" "$type"
  [ -z "$flags" ] || printf '\t\tflags %s\n\t\tauto-merge\n' "$flags"
  if [ $# -gt 0 ]; then
    list=$(printf ', %s' "$@")
    printf '\t\telements = { %s }\n' "${list#, }"
  fi
  printf '\t}\n\n'
}

# networks NAME WORD...: two sets, NAME4 and NAME6.
networks() {
  local name=$1 word v4=() v6=()
  shift
  for word in "$@"; do
    case $word in *:*) v6+=("$word") ;; *) v4+=("$word") ;; esac
  done
  members "${name}4" ipv4_addr interval "${v4[@]}"
  members "${name}6" ipv6_addr interval "${v6[@]}"
}

interfaces=()
for word in $2; do interfaces+=("\"$word\""); done

cat <<'TEXT'
# Written by setup.sh from /etc/leash/setup.conf: change the networks there and run it again, or edit this file, which
# setup.sh then leaves alone. `systemctl reload leash-firewall` puts it in force.

# Made anew as a whole, in one transaction: there is no moment without it.
table inet leash
delete table inet leash

table inet leash {
TEXT
# shellcheck disable=SC2086
networks agents $1
members agent_interfaces ifname "" "${interfaces[@]}"
# shellcheck disable=SC2086
networks managers $3
cat <<'TEXT'
	# What is for this host.
	chain input {
		type filter hook input priority filter - 10; policy accept;
		iif "lo" accept
		ip saddr @agents4 goto from_agent
		ip6 saddr @agents6 goto from_agent
		iifname @agent_interfaces goto from_agent
		# The console is for management, the proxy for agents. Each has its own guard; this is the second one.
		tcp dport 8090 ip saddr @managers4 accept
		tcp dport 8090 ip6 saddr @managers6 accept
		tcp dport { 8080, 8090 } reject with tcp reset
	}

	chain from_agent {
		# IPv6 does not work without these; a hop limit of 255 has crossed no router. No router advertisements.
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept
		jump no_forgery
		tcp dport 8080 accept
		# Answers to what this host began, and the errors that path MTU discovery needs. Nothing that an agent began goes by
		# its state: a connection from before these rules ends here.
		ct state established ct direction reply accept
		ct state related icmp type { destination-unreachable, time-exceeded, parameter-problem } accept
		ct state related icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept
		goto refuse
	}

	# What would pass through this host.
	chain forward {
		type filter hook forward priority filter - 10; policy accept;
		ip saddr @agents4 goto through_from_agent
		ip6 saddr @agents6 goto through_from_agent
		iifname @agent_interfaces goto through_from_agent
		ip daddr @agents4 goto through_to_agent
		ip6 daddr @agents6 goto through_to_agent
		oifname @agent_interfaces goto through_to_agent
		# Published ports of containers are forwarded: the same guards as above.
		meta l4proto tcp ct status dnat ct original proto-dst 8090 ip saddr @managers4 accept
		meta l4proto tcp ct status dnat ct original proto-dst 8090 ip6 saddr @managers6 accept
		meta l4proto tcp ct status dnat ct direction original ct original proto-dst { 8080, 8090 } reject with tcp reset
	}

	chain through_from_agent {
		jump no_forgery
		# To leash in a container, by the port that this host publishes for it.
		meta l4proto tcp ct status dnat ct original proto-dst 8080 accept
		# Answers to management.
		ct state established ct direction reply accept
		goto refuse
	}

	chain through_to_agent {
		ct state established accept
		ip saddr @managers4 accept
		ip6 saddr @managers6 accept
		drop
	}

	# Where only agents are, an address of nobody's is an agent's that hides.
	chain no_forgery {
		iifname @agent_interfaces ip saddr != @agents4 drop
		iifname @agent_interfaces ip6 saddr != @agents6 drop
	}

	# Told at once: a program that waits for a timeout is taken for a slow network.
	chain refuse {
		fib daddr type { broadcast, multicast, anycast } drop
		meta l4proto tcp reject with tcp reset
		reject with icmpx type admin-prohibited
	}
}
TEXT
