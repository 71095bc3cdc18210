# The steps of an installation, in the order in which setup.sh takes them. Bash.
# shellcheck shell=bash

PREFIX=/usr/local
UNITS=/etc/systemd/system

is_booted() { [ -d /run/systemd/system ]; }

check_system() {
  local id='' version='' name=''
  [ ! -r /etc/os-release ] || {
    id=$(. /etc/os-release && echo "${ID:-}")
    version=$(. /etc/os-release && echo "${VERSION_ID:-}")
    name=$(. /etc/os-release && echo "${PRETTY_NAME:-}")
  }
  case $id-$version in
    debian-12* | debian-13* | ubuntu-24.04) ;;
    *) warn "this is ${name:-an unknown system}; known to work: Debian 12 and 13, Ubuntu 24.04" ;;
  esac
  have apt-get || die "no apt-get here"
  have systemctl || die "no systemd here"
}

podman_serves() {
  local version
  have podman || return 1
  version=$(podman --version 2>/dev/null | sed 's/.* \([0-9]*\.[0-9]*\).*/\1/')
  [ "$(printf '%s\n4.4\n' "$version" | sort -V | head -n 1)" = 4.4 ]
}

choose_kind() {
  if [ -z "$KIND" ]; then
    if podman_serves; then KIND=container; else KIND=native; fi
  fi
  [ "$KIND" = native ] || [ -z "$PROGRAMS$PACKAGES" ] || die "--programs and --packages are for --native"
}

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

install_packages() {
  local wanted=(nftables iproute2 ca-certificates) missing=() name
  [ "$KIND" = native ] || wanted+=(podman)
  ! compgen -G "$HERE/policy/*.local.yaml" >/dev/null && [ ! -f /etc/leash/allowlist.yaml ] || wanted+=(python3-yaml)
  for name in "${wanted[@]}"; do
    is_installed "$name" || missing+=("$name")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  did "install packages ${missing[*]}"
  [ -z "$DRY_RUN" ] || return 0
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$WORK/apt" 2>&1 || {
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$WORK/apt" 2>&1 || {
      cat "$WORK/apt" >&2
      die "apt-get cannot install ${missing[*]}"
    }
  }
  for name in "${missing[@]}"; do record package - "$name"; done
  [ "$KIND" = native ] || podman_serves || die "Podman here is older than 4.4 and knows no Quadlet: use --native"
}

# Sees to it that $PROGRAMS has programs that run here.
get_programs() {
  local lost name files
  [ "$KIND" = native ] || return 0
  if [ -n "$PACKAGES" ]; then
    files=("$PACKAGES"/leash_*.deb "$PACKAGES"/leashctl_*.deb)
    for name in "$PACKAGES"/leash-console_*.deb; do [ ! -f "$name" ] || files+=("$name"); done
    for name in "${files[@]}"; do [ -f "$name" ] || die "not there: $name"; done
    install_debs "${files[@]}"
    return
  fi
  if [ -z "$PROGRAMS" ]; then
    PROGRAMS=$HERE/build
    did "build the programs (make build)"
    if [ -z "$DRY_RUN" ]; then
      make -C "$HERE" --no-print-directory build >"$WORK/build" 2>&1 || {
        tail -n 30 "$WORK/build" >&2
        die "the build failed"
      }
    fi
    CHANGES=$((CHANGES - 1))
  fi
  for name in leash leashctl; do
    if [ ! -x "$PROGRAMS/$name" ]; then
      [ -n "$DRY_RUN" ] || die "no program $name in $PROGRAMS"
      continue
    fi
    lost=$(ldd "$PROGRAMS/$name" | sed -n 's/^\t*\(.*\) => not found/\1/p' | xargs)
    [ -z "$lost" ] || die "$PROGRAMS/$name was built for another system: it needs $lost. Build it here, or use --packages"
  done
}

install_debs() {
  local file wanted=()
  for file in "$@"; do
    local name version
    name=$(dpkg-deb -f "$file" Package)
    version=$(dpkg-deb -f "$file" Version)
    [ "$(dpkg-query -W -f '${db:Status-Status} ${Version}' "$name" 2>/dev/null)" = "installed $version" ] || wanted+=("$file")
  done
  [ ${#wanted[@]} -gt 0 ] || return 0
  did "install ${wanted[*]##*/}"
  [ -z "$DRY_RUN" ] || return 0
  # The units start when all is in place. Configuration that is here stays.
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends --reinstall --allow-downgrades \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "${wanted[@]}" >"$WORK/apt" 2>&1 || {
    cat "$WORK/apt" >&2
    die "the packages cannot be installed"
  }
  for file in "${wanted[@]}"; do record deb - "$(dpkg-deb -f "$file" Package)"; done
  RESTART=yes
}

has_console() {
  [ "$KIND" = native ] || return 0
  if [ -n "$PACKAGES" ]; then
    compgen -G "$PACKAGES/leash-console_*.deb" >/dev/null
  else
    [ -e "$PROGRAMS/leash-console" ]
  fi
}

# The comment says whose they are, to a later removal, too.
make_user() { # NAME
  if ! id -u "$1" >/dev/null 2>&1; then
    did "make user $1"
    run useradd --system "$([ "$1" = leash ] && echo --user-group || echo --gid=leash)" --home-dir /nonexistent --no-create-home \
      --shell /usr/sbin/nologin --comment 'made by setup.sh of leash' "$1"
  fi
  [[ $(getent passwd "$1") != *':made by setup.sh of leash:'* ]] || record user - "$1"
}

make_users() {
  make_user leash
  ! has_console || make_user leash-console
}

make_directories() {
  put_directory 0700 leash:leash /var/lib/leash
  put_directory 0700 leash:leash /var/lib/leash/ca
  put_directory 0750 leash:leash /var/log/leash
}

check_firewall() {
  "$HERE/setup/firewall.sh" "$AGENT_NETWORKS" "$AGENT_INTERFACES" "$MANAGEMENT_NETWORKS" >"$WORK/firewall.nft"
  have nft || return 0
  nft -c -f "$WORK/firewall.nft" 2>"$WORK/nft" || {
    # A container without the right to look at rules cannot check them either.
    grep -q 'Operation not permitted' "$WORK/nft" || {
      cat "$WORK/nft" >&2
      die "nft does not take the rules"
    }
    warn "the firewall's rules could not be checked: $(head -n 1 "$WORK/nft")"
  }
}

# SOURCE and where a copy of it goes, one a line.
copies() {
  local source
  for source in "$HERE"/docs/*.md; do echo "$source $PREFIX/share/doc/leash/${source##*/}"; done
  for source in "$HERE"/docs/man/*.[18]; do echo "$source $PREFIX/share/man/man${source##*.}/${source##*/}"; done
  for source in "$HERE"/certs/*; do [ ! -f "$source" ] || echo "$source $PREFIX/share/leash/certs/${source##*/}"; done
  echo "$HERE/completions/leashctl.bash $PREFIX/share/bash-completion/completions/leashctl"
  echo "$HERE/completions/_leashctl $PREFIX/share/zsh/site-functions/_leashctl"
  echo "$HERE/completions/leashctl.fish $PREFIX/share/fish/vendor_completions.d/leashctl.fish"
}

install_programs() {
  local name source
  [ -z "$PACKAGES" ] || return 0
  for name in leash leashctl leash-console; do
    [ -e "$PROGRAMS/$name" ] || continue
    put_program "$PROGRAMS/$name" "$PREFIX/bin/$name"
    [ -z "$PUT" ] || [ "$name" = leashctl ] || RESTART=yes
  done
  # shellcheck disable=SC2046
  look_at $(copies)
  while read -r source name; do put_file 0644 root:root "$source" "$name"; done < <(copies)
}

install_units() {
  local source name
  if [ -z "$PACKAGES" ]; then
    for source in "$HERE"/systemd/*.service "$HERE"/systemd/*.socket "$HERE"/systemd/*.timer; do
      name=${source##*/}
      [ "$name" != leash-console.service ] || has_console || continue
      put_file 0644 root:root "$source" "$UNITS/$name"
      [ -z "$PUT" ] || RELOAD_UNITS=yes
      [ -z "$PUT" ] || [[ $name == leash-firewall* || $name == leash-ca* ]] || RESTART=yes
    done
  fi
  # Not in the unit: where a kernel has no IPv6 the socket would not come up at all.
  if [ -e /proc/net/if_inet6 ]; then
    put_text 0644 root:root "$UNITS/leash.socket.d/10-ipv6.conf" <<'TEXT'
[Socket]
ListenStream=[::]:8080
BindIPv6Only=ipv6-only
TEXT
    [ -z "$PUT" ] || RELOAD_UNITS=yes SOCKET_CHANGED=yes
  fi
}

install_sysctl() {
  local interface
  {
    cat <<'TEXT'
# Written by setup.sh. Connections that wait while leash restarts.
net.core.somaxconn = 4096
TEXT
    [ -z "$AGENT_INTERFACES" ] || echo "# An agent tells this host no routes, and gets none shown."
    for interface in $AGENT_INTERFACES; do
      cat <<TEXT
-net/ipv4/conf/$interface/accept_redirects = 0
-net/ipv4/conf/$interface/send_redirects = 0
-net/ipv4/conf/$interface/accept_source_route = 0
-net/ipv4/conf/$interface/rp_filter = 1
-net/ipv6/conf/$interface/accept_ra = 0
-net/ipv6/conf/$interface/accept_redirects = 0
TEXT
    done
  } | put_text 0644 root:root /etc/sysctl.d/60-leash.conf
  [ -z "$PUT" ] || SYSCTL_CHANGED=yes
}

install_firewall() {
  put_file 0644 root:root "$WORK/firewall.nft" /etc/leash/firewall.nft
  [ -z "$PUT" ] || FIREWALL_CHANGED=yes
  if [ -f /etc/leash/firewall.nft.new ] && ! is_as_recorded file /etc/leash/firewall.nft; then
    warn "/etc/leash/firewall.nft was edited and stays in force; what $CONF asks for is in firewall.nft.new"
  fi
  if [ "$KIND" = container ]; then
    put_file 0644 root:root "$HERE/systemd/leash-firewall.service" "$UNITS/leash-firewall.service"
    [ -z "$PUT" ] || RELOAD_UNITS=yes
  fi
}

enable_unit() {
  if [ "$(systemctl is-enabled "$1" 2>/dev/null)" != enabled ]; then
    did "enable $1"
    run systemctl -q enable "$1"
    record enabled - "$1"
  fi
}

start_services() {
  local units=(leash-firewall.service) unit
  [ "$KIND" = container ] || units+=(leash.socket leash.service leash-ca.timer)
  [ "$KIND" = container ] || ! has_console || units+=(leash-console.service)
  for unit in "${units[@]}"; do enable_unit "$unit"; done
  if ! is_booted; then
    [ "$CHANGES" = 0 ] || say "systemd does not run here: the units start at the next boot"
    return 0
  fi
  [ -n "$DRY_RUN" ] || [ -z "$RELOAD_UNITS" ] || systemctl daemon-reload
  if [ -n "$SYSCTL_CHANGED" ]; then
    did "apply /etc/sysctl.d/60-leash.conf"
    run /lib/systemd/systemd-sysctl /etc/sysctl.d/60-leash.conf || warn "not all of /etc/sysctl.d/60-leash.conf could be applied"
  fi
  # The fence first: there is no moment in which leash serves and agents pass it by.
  if [ -n "$FIREWALL_CHANGED" ] || ! systemctl -q is-active leash-firewall.service; then
    did "put the firewall in force"
    run systemctl restart leash-firewall.service
  fi
  if [ "$KIND" = container ]; then
    start_containers
    return
  fi
  if [ -n "${SOCKET_CHANGED:-}" ] && systemctl -q is-active leash.socket; then
    # A socket takes new addresses only while its service is down.
    did "restart leash.socket and leash"
    run systemctl stop leash.service
    run systemctl restart leash.socket
    run systemctl start leash.service
    return
  fi
  for unit in "${units[@]:1}"; do
    if ! systemctl -q is-active "$unit"; then
      did "start $unit"
      run systemctl start "$unit"
    elif [ -n "$RESTART" ] && [[ $unit == *.service ]]; then
      did "restart $unit"
      run systemctl restart "$unit"
    fi
  done
}

report() {
  if [ "$CHANGES" = 0 ]; then
    say "nothing to change"
    return
  fi
  [ -z "$DRY_RUN" ] || return 0
  is_booted || return 0
  local ready=
  for _ in $(seq 100); do
    ! ask_ready || { ready=yes && break; }
    sleep 0.2
  done
  [ -n "$ready" ] || die "leash is not ready; see 'journalctl -u leash' and 'leashctl doctor'"
  cat <<TEXT

leash serves agents (${AGENT_NETWORKS:-none}) on port 8080, mode $(cat "$POLICY/mode").
  leashctl ca --print > leash-ca.pem    the certificate for agents; how they take it: certs/README.md
  leashctl status, leashctl doctor      how it is
  leashctl tail -f                      what agents do
Keep a copy of /var/lib/leash/ca: agents trust what is in there.
TEXT
}

ask_ready() { leashctl status >"$WORK/status" 2>&1 || grep -q 'admin .*, ready' "$WORK/status"; }
