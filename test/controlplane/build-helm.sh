#!/usr/bin/env bash
# Builds helm once, into the cache of the control plane, and prints its path. A helm of the same major version on PATH
# is taken as it is. Without Go 1.26 or newer nothing is built: exit code 3, and one line on stderr says so.
set -euo pipefail

helm_version=v3.22.0
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vipvs/helm-$helm_version
go_wanted=1.26

say() { echo "helm: $*" >&2; }

if command -v helm >/dev/null && [[ $(helm version --short 2>/dev/null) == v3.* ]]; then
  command -v helm
  exit 0
fi
if [ -x "$cache/helm" ]; then
  echo "$cache/helm"
  exit 0
fi

go=$(command -v go || echo /usr/local/go/bin/go)
version=$(GOTOOLCHAIN=local "$go" env GOVERSION 2>/dev/null | sed 's/^go//' || true)
if [ -z "$version" ] || [ "$(printf '%s\n%s\n' "$go_wanted" "$version" | sort -V | head -n 1)" != "$go_wanted" ]; then
  say "cannot be built: no Go $go_wanted or newer here, and no helm 3 on PATH"
  exit 3
fi

mkdir -p "$cache"
exec 9>"$cache/lock"
if ! flock -n 9; then
  say 'another build is running: waiting for it'
  flock 9
fi
if [ ! -x "$cache/helm" ]; then
  say "building $helm_version with Go $version (about a minute the first time)"
  rm -rf "$cache/part"
  GOBIN=$cache/part CGO_ENABLED=0 GOTOOLCHAIN=local nice -n 10 "$go" install -trimpath -ldflags '-s -w' \
    "helm.sh/helm/v3/cmd/helm@$helm_version" >&2 9>&-
  mv "$cache/part/helm" "$cache/helm"
fi
echo "$cache/helm"
