# Quadlet: the image, the units that Podman makes services of, and a leashctl that runs in the image. For setup.sh; bash.
# shellcheck shell=bash

QUADLET=/etc/containers/systemd
IMAGE=localhost/leash:latest

install_containers() {
  local name
  build_image
  # They must exist for Podman to mount them; /run is made anew at each boot.
  put_directory 0700 leash-console:leash /var/lib/leash-console
  put_text 0644 root:root /etc/tmpfiles.d/leash.conf <<TEXT
d /run/leash 0750 leash leash -
TEXT
  [ -z "$PUT" ] || run systemd-tmpfiles --create /etc/tmpfiles.d/leash.conf
  [ -e /etc/default/leash ] || put_text 0644 root:root /etc/default/leash <<TEXT
# Variables of leash and leash-console (OPERATIONS.md), one NAME=VALUE a line.
TEXT
  for name in leash.network leash.container leash-console.container; do
    sed -e "s/^User=65532$/User=$(id_of leash)/" -e "s/^User=65533$/User=$(id_of leash-console)/" \
      -e "s/^Group=65532$/Group=$(group_of leash)/" "$HERE/quadlet/$name" | put_text 0644 root:root "$QUADLET/$name"
    [ -z "$PUT" ] || RELOAD_UNITS=yes RESTART=yes
  done
  put_wrapper
}

# The numbers on this host; where the user would be made only now, the ones of the file.
id_of() { id -u "$1" 2>/dev/null || { [ "$1" = leash ] && echo 65532 || echo 65533; }; }
group_of() { getent group "$1" | cut -d: -f3 | grep . || echo 65532; }

# The image carries the sources it was made of as a label: the same sources are not built again.
build_image() {
  local sources
  sources=$(cd "$HERE" && find Containerfile src policy tools meson.build meson_options.txt Makefile -type f ! -path '*/node_modules/*' \
    -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1)
  [ "$(podman image inspect --format '{{index .Labels "leash.sources"}}' "$IMAGE" 2>/dev/null)" != "$sources" ] || return 0
  did "build the image $IMAGE"
  run podman build -q --label "leash.sources=$sources" -t "$IMAGE" "$HERE"
  record image - "$IMAGE"
  RESTART=yes
}

# Runs in the image, with the host's files and leash's rights besides root's to read and write them.
put_wrapper() {
  cat >"$WORK/leashctl" <<TEXT
#!/bin/sh
# leashctl of the image $IMAGE, on the host's files.
tty=
[ ! -t 0 ] || [ ! -t 1 ] || tty=-t
exec podman run --rm -i \$tty --pull=never --network=none --read-only --cap-drop=all --cap-add=dac_override --cap-add=chown \\
  --cap-add=fowner --user=0:0 --env=TERM --env=EDITOR --volume=/etc/leash:/etc/leash --volume=/var/lib/leash:/var/lib/leash \\
  --volume=/var/log/leash:/var/log/leash --volume=/run/leash:/run/leash $IMAGE leashctl "\$@"
TEXT
  put_program "$WORK/leashctl" /usr/local/bin/leashctl
}

start_containers() {
  local unit
  for unit in leash.service leash-console.service; do
    # The generator makes no unit of what it cannot read, and says so in the journal.
    systemctl cat "$unit" >/dev/null 2>&1 || [ -n "$DRY_RUN" ] || die "Podman made no $unit: journalctl -t quadlet-generator"
    if ! systemctl -q is-active "$unit"; then
      did "start $unit"
      run systemctl start "$unit"
    elif [ -n "$RESTART" ]; then
      did "restart $unit"
      run systemctl restart "$unit"
    fi
  done
}

# For --uninstall.
remove_containers() {
  local name
  [ -n "${RECORDED["file $QUADLET/leash.container"]:-}" ] || return 0
  did "stop leash.service and leash-console.service"
  [ -n "$DRY_RUN" ] || ! is_booted || systemctl stop leash-console.service leash.service leash-network.service 2>/dev/null || true
  while IFS= read -r name; do
    did "remove the image $name"
    run podman rmi -f "$name" >/dev/null || warn "the image $name could not be removed"
  done < <(recorded image)
  [ -n "$DRY_RUN" ] || ! have podman || podman network rm -f systemd-leash >/dev/null 2>&1 || true
}
