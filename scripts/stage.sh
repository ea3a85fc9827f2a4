# shellcheck shell=bash
# Stages: sourced by the scripts that run several things in a row. Each stage is timed; one that fails is remembered
# by its name and hides none of those after it.

stage_times=()
stage_failures=()

# stage NAME COMMAND...: runs the command under a heading. A command that is a shell function must join its steps
# with &&, since errexit does not reach into it.
stage() {
  local name=$1 start=$SECONDS
  shift
  printf '\n==> %s\n' "$name"
  if "$@"; then
    stage_times+=("$name $((SECONDS - start)) s")
  else
    stage_times+=("$name $((SECONDS - start)) s (failed)")
    stage_failures+=("$name")
    printf '==> %s FAILED\n' "$name"
  fi
}

# stage_close NAME: the closing line, with the time of each stage; its status is 1 when a stage failed.
stage_close() {
  local times failures
  times=$(printf ', %s' "${stage_times[@]}")
  if ((${#stage_failures[@]} == 0)); then
    printf '%s passed: %s; %d s in all\n' "$1" "${times:2}" "$SECONDS"
    return
  fi
  failures=$(printf ', %s' "${stage_failures[@]}")
  printf '%s FAILED in %s: %s; %d s in all\n' "$1" "${failures:2}" "${times:2}" "$SECONDS"
  return 1
}
