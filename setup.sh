#!/usr/bin/env bash
# Installs leash on this host, or brings an installation to what this checkout has; run it as often as you like.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
  cat <<'TEXT'
usage: sudo ./setup.sh [options]              install or update (Debian 12, 13; Ubuntu 24.04)
       sudo ./setup.sh --uninstall [--purge]  remove what it has put here

  --native | --container         systemd units, or Quadlet units (Podman 4.4 or later); default: as before, else
                                 containers where such a Podman is installed, else native
  --programs DIR                 take leash, leashctl, leash-console from there; default: build them (make build)
  --packages DIR                 install the .deb files that are there (make deb)
  --agent-network CIDR           where agents live; again for more. Default: agents.yaml
  --agent-interface NAME         an interface of this host behind which there are agents and nobody else; again for more.
                                 Default: those whose addresses are all in agents' networks
  --management-network CIDR      who reaches the console (port 8090); again for more. Default: this host alone
  --dry-run                      print each change, make none
  --yes                          do not ask
  --purge                        with --uninstall: the log, the CA and edited policy, too

Networks and interfaces are kept in /etc/leash/setup.conf; options of one kind replace what is there. `none` empties a list.
An edited file is never overwritten: a new version goes beside it as FILE.new.
TEXT
}

DRY_RUN='' YES='' PURGE='' ACTION=install KIND='' PROGRAMS='' PACKAGES=''
AGENT_NETWORKS_GIVEN='' AGENT_INTERFACES_GIVEN='' MANAGEMENT_NETWORKS_GIVEN=''
RESTART='' RELOAD_UNITS='' FIREWALL_CHANGED='' SYSCTL_CHANGED='' PUT=''
CONF=/etc/leash/setup.conf

# shellcheck source=setup/files.sh
. "$HERE/setup/files.sh"
# shellcheck source=setup/networks.sh
. "$HERE/setup/networks.sh"
# shellcheck source=setup/options.sh
. "$HERE/setup/options.sh"
# shellcheck source=setup/policy.sh
. "$HERE/setup/policy.sh"
# shellcheck source=setup/migrate.sh
. "$HERE/setup/migrate.sh"
# shellcheck source=setup/host.sh
. "$HERE/setup/host.sh"
# shellcheck source=setup/containers.sh
. "$HERE/setup/containers.sh"
# shellcheck source=setup/remove.sh
. "$HERE/setup/remove.sh"

parse "$@"
[ "$(id -u)" -eq 0 ] || {
  echo 'error: run as root (sudo ./setup.sh)' >&2
  exit 1
}
umask 022
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
read_record

if [ "$ACTION" = uninstall ]; then
  uninstall
  exit 0
fi

check_system
read_conf
choose_kind
install_packages
get_programs
make_users
make_directories
migrate
settle_networks
check_firewall
install_policy
write_conf
if [ "$KIND" = native ]; then
  install_programs
  install_units
else
  install_containers
fi
install_sysctl
install_firewall
start_services
report
