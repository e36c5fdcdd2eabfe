#!/usr/bin/env bash
# Checks ring.pml: the algorithm must pass, and each mutation of it must fail,
# so that a model that proves nothing cannot pass either. Needs spin and gcc; with
# --if-installed a machine without spin gets a warning instead of a failure.
set -euo pipefail

# One search: check.sh case VERDICT SEARCH [MACRO...]
#   VERDICT  holds, or the text of the violation that must be found
#   SEARCH   safety: every state; progress: every fair endless run
search() {
  local verdict=$1 search=$2 name dir flags found
  shift 2
  name="$search ${*:-as written}"
  dir=$(mktemp -d)
  trap 'rm -rf "$dir"' RETURN
  case $search in
  safety) flags=(-DSAFETY) ; run=(-m200000) ;;
  progress) flags=(-DNP -DNFAIR=4) ; run=(-m200000 -l -f) ;;
  esac
  (
    cd "$dir"
    spin "${@/#/-D}" -a "$model" >/dev/null
    gcc -O1 -w "${flags[@]}" -o pan pan.c
    ./pan "${run[@]}" >out 2>&1
  ) || { echo "FAIL  $name: could not be searched"; cat "$dir/out" 2>/dev/null || true; return 1; }
  if grep -q 'max search depth too small\|out of memory' "$dir/out"; then
    echo "FAIL  $name: the search was cut short"
    return 1
  fi
  found=$(sed -n 's/^pan:[0-9]*: \(.*\) (at depth.*/\1/p' "$dir/out")
  if [[ $verdict == holds ]]; then
    [[ -z $found ]] && grep -q 'errors: 0$' "$dir/out" || { echo "FAIL  $name: $found"; return 1; }
    printf 'ok    %-40s holds in %s states\n' "$name" "$(sed -n 's/ *\([0-9.e+]*\) states, stored.*/\1/p' "$dir/out")"
  else
    [[ $found == *"$verdict"* ]] || { echo "FAIL  $name: the mutation was not found (${found:-no error}), expected: $verdict"; return 1; }
    printf 'ok    %-40s found: %s\n' "$name" "$found"
  fi
}

# Violations, as spin words them.
asleep='asleep'                      # a waiter sleeps though it has work, or was poked
unread='mem[0]==mem'                 # a committed frame is never read
wrong='==tail'                       # a frame is not the one that is due, or was overwritten
cases() {
  cat <<END
holds|safety|
holds|safety|PSO
holds|progress|
holds|progress|PSO
$unread|safety|NO_FENCE_PARK
$unread|safety|NO_FENCE_PUBLISH
$asleep|safety|NO_FENCE_RELEASE
$asleep|safety|EARLY_CLEAR
$unread|safety|WAKE_BEFORE_PUBLISH
$unread|safety|WAIT_ON_RELOAD
gone|safety|POKE_ONCE
$wrong|safety|EARLY_RELEASE
$wrong|safety|OVERCOMMIT
$wrong|safety|PSO PLAIN_HEAD
non-progress cycle|progress|STALE_LOOK
END
}

model=$(cd "$(dirname "$0")" && pwd)/ring.pml
if [[ ${1-} == case ]]; then
  IFS='|' read -r verdict kind macros <<<"$2"
  # shellcheck disable=SC2086 # macros is a list of words
  search "$verdict" "$kind" $macros
  exit
fi

if ! command -v spin >/dev/null; then
  echo "WARNING: spin is not installed. THE MODEL OF THE RING WAS NOT CHECKED. (Debian: apt-get install spin)" >&2
  [[ ${1-} == --if-installed ]]
  exit
fi
cases | xargs -d '\n' -P "$(nproc)" -n 1 "$0" case
