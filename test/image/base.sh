#!/bin/bash
# Makes the root file system of the image that deploy/Dockerfile builds from, out of what package registries have: Debian's
# packages by debootstrap, Node (the pinned one, of node_modules) and npm from npm. Prints the path of its tar archive, cached.
# The registries, and the way to them, are those that this machine's apt and npm use.
# exit: 3 where it can't be made; stderr says why
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
repo=$(cd "$here/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vipvs/image
PATH=$PATH:/usr/sbin:/sbin
npm=11.19.1 # Node 24 comes with npm 11

say() { echo "image: $*" >&2; }
cannot() {
  say "can't be built here: $*"
  exit 3
}

dockerfile=$repo/deploy/Dockerfile
node=$(sed -n 's/^ARG NODE_VERSION=//p' "$dockerfile")
# shellcheck disable=SC2016 # the Dockerfile's variable
suite=$(sed -n 's/^FROM node:${NODE_VERSION}-\([a-z]*\)-slim AS build$/\1/p' "$dockerfile")
if [ -z "$node" ] || [ -z "$suite" ]; then
  say "deploy/Dockerfile names its base otherwise than $0 reads it"
  exit 1
fi
case $(uname -m) in
  x86_64) machine=x64 ;;
  aarch64) machine=arm64 ;;
  *) cannot "no Node for $(uname -m)" ;;
esac
pinned=$repo/node_modules/node-linux-$machine/bin/node
[ -x "$pinned" ] || { say 'the pinned Node is missing: run scripts/setup.sh npm'; exit 1; }
[ "$("$pinned" --version)" = "v$node" ] || { say "deploy/Dockerfile builds with Node $node, package.json pins $("$pinned" --version)"; exit 1; }

key=$( (cat "$here/base.sh"; echo "$suite $node $machine") | sha256sum | cut -c 1-16)
tar=$cache/base-$key.tar
if [ -e "$tar" ]; then
  echo "$tar"
  exit
fi

for tool in debootstrap apt-get; do
  type -P $tool >/dev/null || cannot "$tool is missing (scripts/setup.sh image-packages installs Debian's)"
done

# RELEASE URI LABEL of each source of Debian's packages
# shellcheck disable=SC2016 # apt's variables
sources() { apt-get indextargets --format '$(RELEASE) $(REPO_URI) $(LABEL)' 'Created-By: Packages' 'Origin: Debian'; }
[ -n "$(sources)" ] || apt-get update -qq >&2
mirror=$(sources | sed -n 's/^[^ ]* \([^ ]*\) Debian$/\1/p' | head -n 1)
[ -n "$mirror" ] || cannot "this machine's apt has no source of Debian's packages"

mkdir -p "$cache"
work=$(mktemp -d "$cache/base.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
say "making the base image: Debian $suite, Node $node, npm $npm (a minute or two the first time)"
eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
export http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}"
nice -n 10 debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$work/log" 2>&1 || {
  tail -n 20 "$work/log" >&2
  say 'debootstrap failed (above)'
  exit 1
}
(cd "$work" && npm pack --silent "npm@$npm" >/dev/null)
modules=$root/usr/local/lib/node_modules
mkdir -p "$modules"
tar -C "$modules" -xzf "$work/npm-$npm.tgz"
mv "$modules/package" "$modules/npm"
for name in npm npx; do ln -s "../lib/node_modules/npm/bin/$name-cli.js" "$root/usr/local/bin/$name"; done
cp "$pinned" "$root/usr/local/bin/node"

# apt within the build goes where this machine's apt goes
sources | sed -n "s/^\($suite-[^ ]*\) \([^ ]*\) .*/deb \2 \1 main/p" >>"$root/etc/apt/sources.list"
apt-config dump | grep -E '^Acquire::(https?|Check-Valid-Until|Check-Date)[: ]' >"$root/etc/apt/apt.conf.d/90machine" || true
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*
tar -C "$root" -cf "$work/tar" .
rm -f "$cache"/base-*.tar
mv "$work/tar" "$tar"
echo "$tar"
