#!/usr/bin/env bash
# Builds helm once, into the cache of the control plane, and prints its path. A helm of the same major version on PATH
# is taken as it is. Where no Go can be had nothing is built: exit code 3, and stderr says so.
set -euo pipefail

helm_version=v3.22.0
caches=${XDG_CACHE_HOME:-$HOME/.cache}/vipvs
cache=$caches/helm-$helm_version
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/go.sh"

say() { echo "helm: $*" >&2; }

if command -v helm >/dev/null && [[ $(helm version --short 2>/dev/null) == v3.* ]]; then
  command -v helm
  exit 0
fi
if [ -x "$cache/helm" ]; then
  echo "$cache/helm"
  exit 0
fi

find_go
fetch_go "$caches/controlplane" || { say 'cannot be built: no Go here, and none to be had; nor is helm 3 on PATH'; exit 3; }

mkdir -p "$cache"
exec 9>"$cache/lock"
if ! flock -n 9; then
  say 'another build is running: waiting for it'
  flock 9
fi
if [ ! -x "$cache/helm" ]; then
  say "building $helm_version with Go $go_version (about a minute the first time)"
  rm -rf "$cache/part"
  GOBIN=$cache/part CGO_ENABLED=0 GOTOOLCHAIN=local nice -n 10 "$go" install -trimpath -ldflags '-s -w' \
    "helm.sh/helm/v3/cmd/helm@$helm_version" >&2 2> >(without_downloads) 9>&-
  mv "$cache/part/helm" "$cache/helm"
fi
echo "$cache/helm"
