# What setup.sh changes on this machine, and the record of it. Every change goes through these functions, so that --dry-run can
# print it and --uninstall take it back. For setup.sh; bash.
# shellcheck shell=bash

# The record: KIND, SHA-256 or -, NAME, with tabs between. Root's alone, in a directory that leash cannot write: it says what is
# removed later.
RECORD_DIR=/var/lib/leash-setup
RECORD=$RECORD_DIR/record
CHANGES=0
DRY_RUN=${DRY_RUN:-}

say() { printf '%s\n' "$*"; }
warn() { printf 'setup: %s\n' "$*" >&2; }
die() {
  warn "$*"
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# did TEXT: tells a change; "would ..." where it is only told.
did() {
  CHANGES=$((CHANGES + 1))
  if [ -n "$DRY_RUN" ]; then say "would $*"; else say "$*"; fi
}
# run COMMAND...: not where changes are only told.
run() { [ -n "$DRY_RUN" ] || "$@"; }

# What files are, as they were last looked at: one process for all of them is much quicker than two for each.
declare -A HASHES=() MODES=()
look_at() { # PATH...
  local hash name paths=()
  for name in "$@"; do [ ! -f "$name" ] || paths+=("$name"); done
  [ ${#paths[@]} -gt 0 ] || return 0
  while read -r hash name; do HASHES["$name"]=$hash; done < <(sha256sum -- "${paths[@]}")
  while IFS=$'\t' read -r name hash; do MODES["$name"]=$hash; done < <(stat -c $'%n\t%04a %U:%G' -- "${paths[@]}")
}
# take_hash PATH, take_mode PATH: into HASH, MODE
take_hash() {
  [ -n "${HASHES["$1"]:-}" ] || look_at "$1"
  HASH=${HASHES["$1"]}
}
take_mode() {
  [ -n "${MODES["$1"]:-}" ] || look_at "$1"
  MODE=${MODES["$1"]}
}
is_as_recorded() { # KIND PATH
  take_hash "$2"
  [ "$HASH" = "${RECORDED["$1 $2"]:-}" ]
}

# The record in memory: "KIND NAME" -> hash, and the order in which names came. On disk later lines count.
declare -A RECORDED=()
RECORDED_ORDER=()

read_record() {
  local kind hash name
  [ -f "$RECORD" ] || return 0
  while IFS=$'\t' read -r kind hash name; do remember "$kind" "$hash" "$name"; done <"$RECORD"
}
remember() {
  [ -n "${RECORDED["$1 $3"]:-}" ] || RECORDED_ORDER+=("$1 $3")
  RECORDED["$1 $3"]=$2
}

recorded() { # KIND: all names, the last one first
  local at
  for ((at = ${#RECORDED_ORDER[@]} - 1; at >= 0; at--)); do
    [[ ${RECORDED_ORDER[at]} != "$1 "* ]] || printf '%s\n' "${RECORDED_ORDER[at]#"$1 "}"
  done
}

# record KIND HASH NAME
record() {
  [ -z "$DRY_RUN" ] || return 0
  [ "${RECORDED["$1 $3"]:-}" != "$2" ] || return 0
  remember "$1" "$2" "$3"
  [ -d "$RECORD_DIR" ] || install -d -m 0700 "$RECORD_DIR"
  printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$RECORD"
}

# put_directory MODE OWNER:GROUP PATH
put_directory() {
  local mode=$1 owner=$2 path=$3
  if [ ! -d "$path" ]; then
    did "make directory $path ($mode $owner)"
    run install -d -m "$mode" -o "${owner%:*}" -g "${owner#*:}" "$path"
    record directory - "$path"
  elif [ "$(stat -c '%04a %U:%G' "$path")" != "$mode $owner" ]; then
    did "set $path to $mode $owner (was $(stat -c '%04a %U:%G' "$path"))"
    run chown "$owner" "$path"
    run chmod "$mode" "$path"
  fi
}

place() { # MODE OWNER:GROUP SOURCE PATH: whole, by rename
  [ -z "$DRY_RUN" ] || return 0
  local parent=${4%/*} made=() temporary=$4.setup-new
  while [ ! -d "$parent" ]; do
    made=("$parent" "${made[@]}")
    parent=${parent%/*}
  done
  for parent in "${made[@]}"; do
    install -d -m 0755 "$parent"
    record directory - "$parent"
  done
  install -m "$1" -o "${2%:*}" -g "${2#*:}" "$3" "$temporary"
  mv "$temporary" "$4"
  unset "HASHES[$4]" "MODES[$4]"
}

mend_mode() { # MODE OWNER:GROUP PATH
  take_mode "$3"
  [ "$MODE" != "$1 $2" ] || return 0
  did "set $3 to $1 $2 (was $MODE)"
  unset "MODES[$3]"
  run chown "$2" "$3"
  run chmod "$1" "$3"
}

# put_program SOURCE PATH: always what SOURCE is. Programs have no edits. PUT says whether it changed something.
put_program() {
  local new same=
  PUT=
  take_hash "$1"
  new=$HASH
  if [ -f "$2" ]; then
    take_hash "$2"
    [ "$HASH" != "$new" ] || same=yes
  fi
  if [ -n "$same" ]; then
    mend_mode 0755 root:root "$2"
  else
    did "install $2"
    place 0755 root:root "$1" "$2"
    PUT=yes
  fi
  record program "$new" "$2"
}

# put_file MODE OWNER:GROUP SOURCE PATH: never over an edit. With the hash that was put there (or offered) the last time:
#   not there                    installed; a policy that was put there before and taken away stays away
#   as it was put                replaced by SOURCE
#   edited, SOURCE as it was     kept
#   edited, SOURCE is new        kept, SOURCE goes beside it as PATH.new, once
# PUT says whether PATH itself is other than before.
put_file() {
  local mode=$1 owner=$2 source=$3 path=$4 new before now
  PUT=
  take_hash "$source"
  new=$HASH
  before=${RECORDED["file $path"]:-}
  if [ ! -e "$path" ]; then
    # A missing policy file is no rules; putting one back could let through what nobody wants any more.
    if [ -n "$before" ] && [[ $path == /etc/leash/*.yaml ]]; then
      say "$path was taken away, and stays so: what setup.sh would put there is ${source#"$HERE/"}"
      return 0
    fi
    did "install $path ($mode $owner)"
    place "$mode" "$owner" "$source" "$path"
    PUT=yes
  else
    take_hash "$path"
    now=$HASH
    if [ "$now" = "$new" ]; then
      mend_mode "$mode" "$owner" "$path"
    elif [ "$now" = "$before" ]; then
      did "replace $path"
      place "$mode" "$owner" "$source" "$path"
      PUT=yes
    elif [ "$before" = "$new" ]; then
      mend_mode "$mode" "$owner" "$path"
    else
      did "keep $path, which was edited, and put $path.new beside it: compare them"
      place "$mode" "$owner" "$source" "$path.new"
      record offer "$new" "$path.new"
      mend_mode "$mode" "$owner" "$path"
    fi
  fi
  record file "$new" "$path"
}

# put_text MODE OWNER:GROUP PATH: the same with what comes on stdin.
put_text() {
  cat >"$WORK/text"
  unset "HASHES[$WORK/text]"
  put_file "$1" "$2" "$WORK/text" "$3"
}
