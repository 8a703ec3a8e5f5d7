#!/usr/bin/env bash
# Builds the control plane of the tests once, into a cache outside the tree, and prints the folder that
# holds etcd, kube-apiserver, kube-controller-manager, kube-proxy and kubectl (all one binary). With
# KUBEBUILDER_ASSETS set (envtest's convention) nothing is built and that folder is printed.
# Several callers may run at once: one builds, the others wait. Progress goes to stderr.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vipvs/controlplane
# shellcheck source-path=SCRIPTDIR
. "$here/go.sh"
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

find_go
cd "$here"
key=$( (cat main.go go.mod go.sum; echo "$go_version $(uname -m)") | sha256sum | cut -c 1-16)
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

fetch_go "$cache"
kubernetes=$(sed -n 's|^.*k8s.io/kubernetes \(v[0-9.]*\)$|\1|p' go.mod | head -n 1)
minor=$(echo "$kubernetes" | cut -d . -f 2)
stamp=k8s.io/component-base/version
# Without these the server calls itself v0.0.0 and its feature gates misbehave
flags="-s -w -X $stamp.gitVersion=$kubernetes -X $stamp.gitMajor=1 -X $stamp.gitMinor=$minor"
rm -rf "$out.part"
mkdir -p "$out.part"

say "building Kubernetes $kubernetes with Go $go_version into $out (4 to 7 minutes the first time)"
start=$SECONDS
CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly nice -n 10 "$go" build -buildvcs=false -trimpath \
  -ldflags "$flags" -o "$out.part/controlplane" . 2> >(without_downloads) 9>&- &
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
