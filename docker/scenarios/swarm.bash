# What a scenario is written with: seeds and getters in a compose project of its own, which ends with the scenario.
#
# Sourced by each scenario; docker/test runs them, and sets P2PNODE_IMAGE, P2PNODE_FILES (a folder with random.bin of 100
# MiB), P2PNODE_FILE_ID, P2PNODE_LOGS (a folder) and DOCKER_COMPOSE.
# A scenario ends with 0 where all held, with 77 where it cannot run here, else it has failed.
set -euo pipefail
: "${P2PNODE_IMAGE:?is set by docker/test, which runs this}"

scenario=$(basename "$0")
project=p2pnode-$scenario-$$
docker_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
payload=$P2PNODE_FILES/random.bin
file_id=$P2PNODE_FILE_ID
logs=$P2PNODE_LOGS/$scenario
mkdir -p "$logs"
# A folder of the scenario that goes with it; empty: none.
scratch=''

say() { printf '  %s\n' "$*"; }
fail() {
  say "FAILED: $*"
  exit 1
}
# The scenario cannot run here, or its subject is not in this version.
skip() {
  say "skipped: $*"
  exit 77
}
# Skips unless the help of `get` shows an option.
needs_option() { docker run --rm --network none "$P2PNODE_IMAGE" get --help | grep -c -e "$1" >/dev/null || skip "get has no $1 yet"; }

compose() {
  # Two words, or one.
  $DOCKER_COMPOSE -p "$project" -f "$docker_folder/docker-compose.yml" \
    -f "$docker_folder/scenarios/docker-compose.override.yml" "$@" 2>>"$logs/compose"
}

# The containers of a service, also those that have ended, oldest first.
containers_of() {
  docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$project" \
    --filter "label=com.docker.compose.service=$1" | tac
}

finish() {
  local status=$? container label
  trap - EXIT
  if [[ $status -ne 0 && $status -ne 77 ]]; then
    for label in "com.docker.compose.project=$project" "p2pnode.scenario=$project"; do
      for container in $(docker ps -aq --filter "label=$label"); do
        docker logs "$container" >"$logs/$(docker inspect -f '{{slice .Name 1}}' "$container").log" 2>&1 || true
      done
      docker ps -a --filter "label=$label" >>"$logs/containers" || true
    done
    say "logs are in $logs"
  fi
  [[ -z "$scratch" ]] || rm -rf "$scratch"
  local extra
  extra=$(docker ps -aq --filter "label=p2pnode.scenario=$project")
  [[ -z "$extra" ]] || docker rm -fv $extra >/dev/null || true
  compose down --volumes --remove-orphans --timeout 1 >/dev/null || say "compose down failed: see $logs/compose"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# until SECONDS WHAT COMMAND…: waits until the command succeeds.
until_within() {
  local seconds=$1 what=$2 ends
  shift 2
  ends=$((SECONDS + seconds))
  until "$@"; do
    [[ $SECONDS -lt $ends ]] || fail "after $seconds s still not: $what"
    sleep 0.1
  done
}

is_running() { [[ "$(docker inspect -f '{{.State.Running}}' "$1")" == true ]]; }

# ---- Seeds

is_ready() { docker logs "$1" 2>&1 | grep -c '^ready: [1-9]' >/dev/null; }

# seeds N [LIMIT [OPTIONS]]: N seeds serve the payload, LIMIT bytes a second each.
seeds() {
  local seed
  export SEED_LIMIT=${2:-10M} SEED_OPTIONS=${3:-}
  compose up -d --no-build --scale "seed=$1" seed >>"$logs/compose" || fail "the seeds do not start: $(tail -n 3 "$logs/compose")"
  for seed in $(containers_of seed); do until_within 60 "seed $seed is ready" is_ready "$seed"; done
}

# ---- Getters

# start_get [N [OPTIONS]]: N getters in containers of their own; `getters` has their IDs and `getter` the first.
start_get() {
  export GET_COMMAND="$file_id --json --verbose ${2:-}"
  compose up -d --no-build --no-deps --scale "get=${1:-1}" get >>"$logs/compose" || fail "get does not start: $(tail -n 3 "$logs/compose")"
  mapfile -t getters < <(containers_of get)
  getter=${getters[0]}
}

# start_get_told [OPTIONS OF docker run…] -- ARGUMENTS OF get…: one `getter` that knows only what it is told here.
start_get_told() {
  local run=()
  while [[ "$1" != -- ]]; do
    run+=("$1")
    shift
  done
  shift
  getter=$(docker run -d --label "p2pnode.scenario=$project" --network "${project}_default" --env P2PNODE_LAN=off \
    "${run[@]}" "$P2PNODE_IMAGE" get "$@" --json --verbose)
}

# Chunks that a getter has.
chunks_of() { docker logs "$1" 2>&1 >/dev/null | sed -nE 's/^\[Worker [0-9]+\] Chunk ([0-9]+)\/.*/\1/p' | tail -n 1; }

has_chunks() {
  local chunks
  chunks=$(chunks_of "$1")
  [[ ${chunks:-0} -ge $2 ]] || { is_running "$1" || fail "get ended too early: $(docker logs --tail 3 "$1" 2>&1)"; false; }
}

# wait_for_chunks N: until the getter has N of its 100 chunks, and goes on.
wait_for_chunks() {
  until_within 60 "$1 chunks" has_chunks "$getter" "$1"
  is_running "$getter" || fail "get was done before anything happened to it"
  say "get has $(chunks_of "$getter") of 100 chunks"
}

# expect_exit GETTER SECONDS STATUS
expect_exit() {
  local status
  status=$(timeout "$2" docker wait "$1") || fail "get is not done after $2 s: $(docker logs --tail 3 "$1" 2>&1)"
  [[ "$status" -eq "$3" ]] || fail "get ended with $status instead of $3: $(docker logs --tail 3 "$1" 2>&1)"
}

# Compared with what is served, apart from what `get` itself checks.
expect_same_bytes() {
  docker cp "$1:/downloads/random.bin" - 2>>"$logs/compose" | tar -xOf - | cmp - "$payload" || fail "get has other bytes"
}

expect_no_file() {
  if docker cp "$1:/downloads/random.bin" - >/dev/null 2>&1; then fail "there is a file that there should not be"; fi
}

# expect_download GETTER SECONDS: it ends well, no chunk failed, and every byte is right.
expect_download() {
  expect_exit "$1" "$2" 0
  [[ "$(figure "$1" failedChunks)" == 0 ]] || fail "chunks have failed"
  expect_same_bytes "$1"
}

# figure GETTER NAME: a number of its last statistics, the sums and not those of a peer.
figure() {
  docker logs "$1" 2>/dev/null | grep -E '^\{"event":"(done|failed)"' | tail -n 1 |
    sed -nE "s/,\"peers\":.*//; s/^.*\"$2\":([0-9.eE+-]+).*\$/\1/p"
}

# The PeerID of one that serves.
peer_of() { docker logs "$1" 2>&1 | sed -nE 's/^listening on .* as ([0-9a-f]{64})$/\1/p'; }

# How many peers gave it chunks.
givers_of() { docker logs "$1" 2>&1 >/dev/null | grep -cE '^  - [0-9a-f]{8}: [1-9][0-9]* chunks' || true; }

summary_of() {
  say "$(figure "$1" seconds) s, $(givers_of "$1") peers gave chunks, $(figure "$1" retries) retries, $(figure "$1" hedges) hedges"
}
