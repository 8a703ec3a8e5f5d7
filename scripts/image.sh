#!/bin/bash
# Builds the container image with the first engine that works here: docker (with BuildKit), podman or buildah.
# usage: scripts/image.sh NAME[:TAG] [FLAG OF THE ENGINE'S BUILD]...      ENGINE=podman takes that one and no other
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
name=${1:?usage: scripts/image.sh NAME[:TAG] [FLAG]...}
shift

# why ENGINE can't be used; nothing: it can
fault_of() {
  local said
  type -P "$1" >/dev/null || { echo 'not installed'; return; }
  said=$("$1" info 2>&1 >/dev/null) || echo "does not work: $(tail -n 1 <<< "${said:-it says nothing}")"
}

engine='' faults=()
for each in ${ENGINE:-docker podman buildah}; do
  fault=$(fault_of "$each")
  [ -n "$fault" ] || { engine=$each; break; }
  faults+=("$each: $fault")
done
if [ -z "$engine" ]; then
  echo 'make image: needs one of docker, podman and buildah (Debian: apt-get install buildah):' >&2
  printf '  %s\n' "${faults[@]}" >&2
  exit 1
fi

revision=$(git rev-parse --short=12 HEAD 2>/dev/null) || revision=unknown # no checkout, or no git
export DOCKER_BUILDKIT=1 # docker before 23 would not know RUN --mount
echo "make image: $name with $engine"
exec "$engine" build -f deploy/Dockerfile -t "$name" --build-arg "REVISION=$revision" "$@" .
