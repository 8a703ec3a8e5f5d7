#!/bin/bash
# Builds the image by `make image`, with buildah from the base that base.sh makes, and prints the folder that holds it:
# rootfs/ and inspect.json. Cached by what goes into it; layers are kept, so that other sources cost less than a minute.
# Several callers may run at once: one builds, the others wait. Progress goes to stderr.
# exit: 3 where it can't be built; stderr says why
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
repo=$(cd "$here/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vipvs/image
PATH=$PATH:/usr/sbin:/sbin

say() { echo "image: $*" >&2; }
cannot() {
  say "can't be built here: $*"
  exit 3
}

cd "$repo"
# what .dockerignore lets into the build, and how the build is done
inputs() {
  sed -n 's/^!//p' deploy/Dockerfile.dockerignore
  echo deploy/Dockerfile deploy/Dockerfile.dockerignore test/image
}
# shellcheck disable=SC2046 # no file of ours has a blank
key=$(find $(inputs) -path native/build -prune -o -type f -print | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c 1-16)
out=$cache/$key
print_if_ready() {
  [ -e "$out/inspect.json" ] || return 0
  touch "$out/inspect.json"
  echo "$out"
  exit 0
}

print_if_ready
[ "$(id -u)" = 0 ] || cannot 'debootstrap and buildah need root'
for tool in npm buildah git; do
  type -P $tool >/dev/null || cannot "$tool is missing (scripts/setup.sh image-packages installs Debian's)"
done
# what is mounted here ends with this script, however that ends
[ "${1:-}" = --inside ] || exec unshare --mount "$here/build.sh" --inside
mkdir -p "$cache"
exec 9>"$cache/lock"
if ! flock -n 9; then
  say 'another build is running: waiting for it'
  flock 9
fi
print_if_ready
rm -rf "$cache"/base.?????? "$cache"/build.?????? # of those that were killed
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
scripts/setup.sh npm >&2
base=$("$here/base.sh")

# the layers of earlier builds are worth having on the same base, and up to a point
store=$cache/store
stamp=$store/$(basename "$base" .tar)
if [ ! -e "$stamp" ] || [ "$(du -sm "$store" | cut -f 1)" -gt 4000 ]; then rm -rf "$store"; fi
mkdir -p "$store"
export CONTAINERS_STORAGE_CONF=$store/storage.conf
configure() {
  printf '[storage]\ndriver = "%s"\ngraphroot = "%s"\nrunroot = "%s"\n' "$1" "$store/$1" "$work/run" >"$CONTAINERS_STORAGE_CONF"
}
export BUILDAH_ISOLATION=chroot BUILDAH_LAYERS=true
configure overlay
# not every file system can carry that; vfs copies everything for each layer (21 GB), so it keeps none
buildah info >/dev/null 2>&1 || { configure vfs; BUILDAH_LAYERS=false; }

tag=$(sed -n 's/^ARG NODE_VERSION=//p' deploy/Dockerfile)
name=$(sed -n 's/^FROM \(.*\) AS build$/\1/p' deploy/Dockerfile)
# shellcheck disable=SC2016 # the Dockerfile's variable
name=${name/'${NODE_VERSION}'/$tag}
if [ ! -e "$stamp" ]; then
  container=$(buildah from scratch)
  buildah add -q "$container" "$base" / >/dev/null
  buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
  buildah commit -q --rm "$container" "$name" >/dev/null
  touch "$stamp"
fi

# npm within the build goes where this machine's npm goes
# shellcheck disable=SC2016 # JavaScript
npm config list --json | node -e '
  const config = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
  for (const key of ["registry", "proxy", "https-proxy"]) if (config[key]) console.log(`${key}=${config[key]}`);
' >"$work/npmrc"
ca=${NODE_EXTRA_CA_CERTS:-$(npm config get cafile)}
secrets="--secret id=npmrc,src=$work/npmrc"
[ ! -f "$ca" ] || secrets+=" --secret id=ca,src=$ca"
say "building the image (minutes the first time)"
start=$SECONDS
nice -n 10 make image ENGINE=buildah "IMAGE=vipvs:$key" "BUILD_FLAGS=--pull=never $secrets" >"$work/log" 2>&1 9>&- || {
  tail -n 40 "$work/log" >&2
  say 'make image failed (above)'
  exit 1
}
container=$(buildah from --pull=never "vipvs:$key")
cp -a "$(buildah mount "$container")" "$work/rootfs"
buildah inspect --type image "vipvs:$key" >"$work/inspect.json"
buildah rm "$container" >/dev/null
mkdir "$work/done"
mv "$work/rootfs" "$work/inspect.json" "$work/done/"
rm -rf "$out"
mv "$work/done" "$out"
# the newest ones are kept: other checkouts may use them
find "$cache" -mindepth 2 -maxdepth 2 -name inspect.json -printf '%T@ %h\n' | sort -rn | tail -n +6 | cut -d ' ' -f 2- | xargs -r rm -rf
say "built in $((SECONDS - start)) s"
echo "$out"
