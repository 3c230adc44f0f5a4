# The functions that scenarios are written with. A scenario has seeds and getters in its own compose project, which ends with
# it.
#
# Each scenario sources this file. docker/test runs the scenarios and sets P2PNODE_IMAGE, P2PNODE_FILES (a folder with a
# random.bin of 100 MiB), P2PNODE_FILE_ID, P2PNODE_LOGS (a folder) and DOCKER_COMPOSE. A scenario ends with 0 if it passed and
# with 77 if it cannot run on this machine; else it has failed.
set -euo pipefail
: "${P2PNODE_IMAGE:?is not set: run this with docker/test}"

scenario=$(basename "$0")
project=p2pnode-$scenario-$$
docker_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
payload=$P2PNODE_FILES/random.bin
file_id=$P2PNODE_FILE_ID
logs=$P2PNODE_LOGS/$scenario
mkdir -p "$logs"
# A folder that is removed at the end of the scenario; empty if there is none.
scratch=''

say() { printf '  %s\n' "$*"; }
fail() {
  say "FAILED: $*"
  exit 1
}
# Ends a scenario that cannot run on this machine, or whose subject this version lacks.
skip() {
  say "skipped: $*"
  exit 77
}
# Skips the scenario unless the help of `get` shows an option.
needs_option() { docker run --rm --network none "$P2PNODE_IMAGE" get --help | grep -c -e "$1" >/dev/null || skip "get has no $1 yet"; }

compose() {
  # DOCKER_COMPOSE is one word or two, so it has no quotes.
  $DOCKER_COMPOSE -p "$project" -f "$docker_folder/docker-compose.yml" \
    -f "$docker_folder/scenarios/docker-compose.override.yml" "$@" 2>>"$logs/compose"
}

# The containers of a service, oldest first, with those that have ended.
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

# until_within SECONDS WHAT COMMAND…: waits until the command succeeds.
until_within() {
  local seconds=$1 what=$2 ends
  shift 2
  ends=$((SECONDS + seconds))
  until "$@"; do
    [[ $SECONDS -lt $ends ]] || fail "waited $seconds s in vain for: $what"
    sleep 0.1
  done
}

is_running() { [[ "$(docker inspect -f '{{.State.Running}}' "$1")" == true ]]; }

# ---- Seeds

is_ready() { docker logs "$1" 2>&1 | grep -c '^ready: [1-9]' >/dev/null; }

# seeds N [LIMIT [OPTIONS]]: starts N seeds that serve the payload, each with LIMIT bytes a second.
seeds() {
  local seed
  export SEED_LIMIT=${2:-10M} SEED_OPTIONS=${3:-}
  compose up -d --no-build --scale "seed=$1" seed >>"$logs/compose" || fail "the seeds do not start: $(tail -n 3 "$logs/compose")"
  for seed in $(containers_of seed); do until_within 60 "seed $seed is ready" is_ready "$seed"; done
}

# ---- Getters

# start_get [N [OPTIONS]]: starts N getters, each in its own container. Sets `getters` to their IDs and `getter` to the first.
start_get() {
  export GET_COMMAND="$file_id --json --verbose ${2:-}"
  compose up -d --no-build --no-deps --scale "get=${1:-1}" get >>"$logs/compose" || fail "get does not start: $(tail -n 3 "$logs/compose")"
  mapfile -t getters < <(containers_of get)
  getter=${getters[0]}
}

# start_get_told [OPTIONS OF docker run…] -- ARGUMENTS OF get…: starts one `getter` that gets only these arguments.
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

# The number of chunks that a getter has.
chunks_of() { docker logs "$1" 2>&1 >/dev/null | sed -nE 's/^\[Worker [0-9]+\] Chunk ([0-9]+)\/.*/\1/p' | tail -n 1; }

has_chunks() {
  local chunks
  chunks=$(chunks_of "$1")
  [[ ${chunks:-0} -ge $2 ]] || { is_running "$1" || fail "get ended too early: $(docker logs --tail 3 "$1" 2>&1)"; false; }
}

# wait_for_chunks N: waits until the getter has N of its 100 chunks, and checks that it still runs.
wait_for_chunks() {
  until_within 60 "$1 chunks" has_chunks "$getter" "$1"
  is_running "$getter" || fail "get was done before the scenario could disturb it"
  say "get has $(chunks_of "$getter") of 100 chunks"
}

# expect_exit GETTER SECONDS STATUS: the getter must end with STATUS within SECONDS.
expect_exit() {
  local status
  status=$(timeout "$2" docker wait "$1") || fail "get is not done after $2 s: $(docker logs --tail 3 "$1" 2>&1)"
  [[ "$status" -eq "$3" ]] || fail "get ended with $status instead of $3: $(docker logs --tail 3 "$1" 2>&1)"
}

# Compares the copy with the original: `get` is not trusted to check itself.
expect_same_bytes() {
  docker cp "$1:/downloads/random.bin" - 2>>"$logs/compose" | tar -xOf - | cmp - "$payload" || fail "the copy differs from the original"
}

expect_no_file() {
  if docker cp "$1:/downloads/random.bin" - >/dev/null 2>&1; then fail "get left a file, and should have left none"; fi
}

# expect_download GETTER SECONDS: the getter must end with 0, without a failed chunk, and with the right bytes.
expect_download() {
  expect_exit "$1" "$2" 0
  [[ "$(figure "$1" failedChunks)" == 0 ]] || fail "chunks have failed"
  expect_same_bytes "$1"
}

# figure GETTER NAME: a number of its last statistics. It is the sum, not the number of one peer.
figure() {
  docker logs "$1" 2>/dev/null | grep -E '^\{"event":"(done|failed)"' | tail -n 1 |
    sed -nE "s/,\"peers\":.*//; s/^.*\"$2\":([0-9.eE+-]+).*\$/\1/p"
}

# The PeerID of a node that serves.
peer_of() { docker logs "$1" 2>&1 | sed -nE 's/^listening on .* as ([0-9a-f]{64})$/\1/p'; }

# The number of peers that sent chunks to a getter.
givers_of() { docker logs "$1" 2>&1 >/dev/null | grep -cE '^  - [0-9a-f]{8}: [1-9][0-9]* chunks' || true; }

summary_of() {
  say "$(figure "$1" seconds) s, $(givers_of "$1") peers sent chunks, $(figure "$1" retries) retries, $(figure "$1" hedges) hedges"
}
