# setup.sh --uninstall: takes away what the record names, and nothing else. Bash.
# shellcheck shell=bash

uninstall() {
  [ -f "$RECORD" ] || die "nothing to remove: there is no $RECORD"
  if [ -z "$DRY_RUN" ] && [ -z "$YES" ]; then
    [ -t 0 ] || die "not without a yes: --yes"
    if [ -n "$PURGE" ]; then
      read -r -p "Remove leash, its LOG, its CA and its policy? [y/N] " answer
    else
      read -r -p "Remove leash? Log, CA and edited policy stay. [y/N] " answer
    fi
    [[ $answer == [yY]* ]] || die "nothing was removed"
  fi
  remove_containers
  stop_everything
  remove_debs
  remove_files
  if [ -n "$PURGE" ]; then purge; fi
  remove_directories
  if is_booted && [ -z "$DRY_RUN" ]; then systemctl daemon-reload; fi
  remove_users
  leave_packages
  [ -n "$DRY_RUN" ] || rm -rf "$RECORD_DIR"
  tell_what_stays
}

stop_everything() {
  local units
  mapfile -t units < <(recorded enabled)
  if [ ${#units[@]} -gt 0 ]; then
    did "stop and disable ${units[*]}"
    if [ -z "$DRY_RUN" ]; then
      ! is_booted || systemctl stop "${units[@]}" || warn "not all of them stopped"
      systemctl -q disable "${units[@]}" 2>/dev/null || true
    fi
  fi
  if have nft && nft list table inet leash >/dev/null 2>&1; then
    did "take the firewall out of force"
    run nft delete table inet leash
  fi
}

remove_debs() {
  local names
  names=$(recorded deb | xargs)
  [ -n "$names" ] || return 0
  did "remove packages $names"
  [ -z "$DRY_RUN" ] || return 0
  local how=remove
  [ -z "$PURGE" ] || how=purge
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get "$how" -y -qq $names >"$WORK/apt" 2>&1 || {
    cat "$WORK/apt" >&2
    die "apt-get cannot remove $names"
  }
}

remove_file() {
  [ -e "$1" ] || return 0
  did "remove $1"
  run rm "$1"
}

remove_files() {
  local path paths
  mapfile -t paths < <(recorded file)
  look_at "${paths[@]}"
  while IFS= read -r path; do remove_file "$path"; done < <(recorded program; recorded conf)
  while IFS= read -r path; do
    [ -f "$path" ] || continue
    if [ -n "$PURGE" ] || is_as_recorded file "$path"; then
      remove_file "$path"
    else
      say "keep $path, which was edited"
    fi
  done < <(recorded file)
  while IFS= read -r path; do
    [ ! -f "$path" ] || ! is_as_recorded offer "$path" || remove_file "$path"
  done < <(recorded offer)
}

purge() {
  local path
  for path in /var/lib/leash /var/lib/leash-console /var/log/leash; do
    [ -e "$path" ] || continue
    did "remove $path with all that is in it"
    run rm -rf "$path"
  done
  [ -n "$DRY_RUN" ] || [ ! -d /etc/leash ] || rmdir --ignore-fail-on-non-empty /etc/leash
}

remove_directories() {
  local path
  while IFS= read -r path; do
    [ -d "$path" ] || continue
    if [ -n "$DRY_RUN" ]; then
      say "would remove $path, if it is empty"
    elif rmdir "$path" 2>/dev/null; then
      did "remove $path"
    fi
  done < <(recorded directory | sort -r)
}

# Log and CA belong to them.
remove_users() {
  local user
  [ -n "$PURGE" ] || return 0
  for user in $(recorded user); do
    id -u "$user" >/dev/null 2>&1 || continue
    did "remove user $user"
    run userdel "$user"
  done
}

leave_packages() {
  local names
  names=$(recorded package | xargs)
  [ -n "$names" ] || return 0
  did "mark as no longer wanted: $names ('apt-get autoremove' removes those that nothing else needs)"
  # shellcheck disable=SC2086
  run apt-mark -qq auto $names
}

tell_what_stays() {
  local path
  [ -z "$DRY_RUN" ] || return 0
  for path in /etc/leash /var/lib/leash /var/lib/leash-console /var/log/leash; do
    [ ! -e "$path" ] || say "stays: $path ($(find "$path" -type f | wc -l) files)"
  done
}
