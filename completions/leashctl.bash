# Completion of leashctl for bash. Commands and options are what `leashctl help` says, so they are those of the leashctl that is here.
# shellcheck shell=bash

_leashctl_commands() { "$1" help 2>/dev/null | sed -n 's/^  leashctl \([a-z][a-z-]*\).*/\1/p' | sort -u; }
_leashctl_options() {
  "$1" help "$2" 2>/dev/null | sed -n 's/^ *\(-[A-Za-z],\)\{0,1\}\(--\{0,1\}[A-Za-z][A-Za-z-]*\).*/\2/p' | sort -u
  printf '%s\n' --policy-dir --log --ca-dir --admin
}
# The hosts of a policy file that is as leashctl writes it.
_leashctl_hosts() {
  local dir=${LEASH_DIR:-/etc/leash}
  sed -n -e 's/^ *- *{\{0,1\} *host: *"\{0,1\}\([^" ,}#]*\).*/\1/p' -e 's/^ *- *"\{0,1\}\([^" :{}#]*\)"\{0,1\} *$/\1/p' \
    "$dir/enforce.yaml" "$dir/blocklist.yaml" 2>/dev/null
}

_leashctl() {
  local program=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command='' at choices=''
  for ((at = 1; at < COMP_CWORD; at++)); do
    case ${COMP_WORDS[at]} in
      --policy-dir | --log | --ca-dir | --admin) at=$((at + 1)) ;;
      -*) ;;
      *)
        command=${COMP_WORDS[at]}
        break
        ;;
    esac
  done
  COMPREPLY=()
  case $prev in
    --policy-dir | --ca-dir)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -d -- "$cur")
      return
      ;;
    --log | --key | --witness | --html | --ca-file)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      return
      ;;
    --from) choices='enforce blocklist' ;;
    --method | -X) choices='GET HEAD POST PUT PATCH DELETE OPTIONS' ;;
    -o | --output) choices='table ndjson csv' ;;
    --event) choices='allowed blocked error request connect_allowed tunnel_closed mode_change policy_change policy_error start stop checkpoint' ;;
    --since | --until) choices='15m 1h 8h 1d 7d' ;;
    --expires) choices='1h 8h 1d 7d' ;;
  esac
  if [ -z "$choices" ]; then
    case $command:$cur in
      :-*) choices='--policy-dir --log --ca-dir --admin --help --version' ;;
      :*) choices=$(_leashctl_commands "$program") ;;
      *:-*) choices=$(_leashctl_options "$program" "$command") ;;
      mode:*) choices='enforce audit blocklist' ;;
      edit:*) choices='enforce blocklist' ;;
      remove:*) choices=$(_leashctl_hosts) ;;
      help:*) choices=$(_leashctl_commands "$program") ;;
      ca:* | audit:*)
        # Their own words, where help names them.
        choices=$("$program" help 2>/dev/null | sed -n "s/^  leashctl $command \([a-z][a-z-]*\).*/\1/p" | sort -u)
        ;;&
      audit:* | verify:* | verify-proof:* | checkpoint:* | top:* | learn:* | report:* | prove:*)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        ;;
    esac
  fi
  mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$choices" -- "$cur")
}
complete -F _leashctl leashctl
