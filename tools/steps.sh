# shellcheck shell=bash
# What run-demo and run-tests share: the MPI settings, headings, quiet steps with a log, the build.
# Sourced from the repository's root.
set -euo pipefail

# Open MPI as root, on fewer cores than ranks, without busy waiting.
while IFS= read -r setting; do export "${setting?}"; done <tools/mpi-environment

heading() {
  if [ -t 1 ]; then printf '\n\033[1m%s\033[0m\n' "$*"; else printf '\n== %s\n' "$*"; fi
}

# step LOG TEXT COMMAND…: says TEXT, runs the command with its output in LOG, and shows the end of
# LOG if the command fails.
step() {
  local log=$1 text=$2 start=$SECONDS
  shift 2
  printf '%s … ' "$text"
  if "$@" >>"$log" 2>&1 </dev/null; then
    printf 'done (%d s)\n' $((SECONDS - start))
  else
    printf 'failed\n\n'
    tail -n 60 "$log"
    printf '\nThe whole log: %s\n' "$log"
    exit 1
  fi
}

# build PRESET [TARGET…]: from whatever is here to a finished build in build/PRESET, of all targets
# or of these.
build() {
  local preset=$1 log=build/$1.log
  shift
  mkdir -p build
  : >"$log"
  tools/install-dependencies
  step "$log" "Configuring ($preset)" cmake --preset "$preset"
  step "$log" "Building ($preset)" cmake --build --preset "$preset" --parallel "$(nproc)" \
    ${1:+--target "$@"}
}
