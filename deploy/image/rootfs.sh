#!/bin/sh
# Collects the image's whole root file system in DIR out of a built checkout: the bundle, Node, nft, the shared libraries
# that they need, and nothing else: no shell, no package manager.
# usage: deploy/image/rootfs.sh DIR
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd -P)
target=${1:?usage: rootfs.sh DIR}
PATH=$PATH:/usr/sbin:/sbin

case $(uname -m) in
  x86_64) machine=x64 ;;
  aarch64) machine=arm64 ;;
  *) echo "rootfs: no Node for $(uname -m)" >&2 && exit 1 ;;
esac
node=$root/node_modules/node-linux-$machine/bin/node
nft=$(command -v nft) || { echo 'rootfs: nft is missing' >&2 && exit 1; }

# the shared libraries of these files, by the paths at which the loader looks for them
libraries() {
  ldd "$@" | sed -n -e 's/^.*=> \(\/[^ ]*\) (.*$/\1/p' -e 's/^[[:space:]]*\(\/[^ ]*ld-linux[^ ]*\) (.*$/\1/p' | sort -u
}

put() { # SOURCE TARGET
  mkdir -p "$target$(dirname "$2")"
  cp -RL "$1" "$target$2"
}

put "$node" /usr/local/bin/node
put "$nft" /usr/sbin/nft
app=/opt/vipvs
put "$root/package.json" $app/package.json
put "$root/dist" $app/dist
put "$root/native/build/libvipvs.so" $app/native/build/libvipvs.so
# what the bundle leaves outside, because it carries native code
for package in koffi @koromix netlink node-gyp-build; do
  put "$root/node_modules/$package" $app/node_modules/$package
done
find "$target$app/node_modules" -type d \( -name doc -o -name vendor \) -prune -exec rm -rf {} +

find "$target$app/node_modules" -path '*/prebuilds/*' -type d ! -name "linux-$machine" -prune -exec rm -rf {} +
# addons of another libc are no files for our loader
addons=$(find "$target$app" -name '*.node' -o -name '*.so' | while read -r file; do
  ! ldd "$file" >/dev/null 2>&1 || echo "$file"
done)
# shellcheck disable=SC2086 # a list of files without blanks
for library in $(libraries "$node" "$nft" $addons); do
  [ -e "$target$library" ] || put "$library" "$library"
done

mkdir -p "$target/etc" "$target/tmp" "$target/run/vipvs" "$target/proc" "$target/sys" "$target/dev"
chmod 1777 "$target/tmp"
echo 'root:x:0:0:root:/:/nonexistent
vipvs:x:65532:65532:vipvs:/:/nonexistent' >"$target/etc/passwd"
echo 'root:x:0:
vipvs:x:65532:' >"$target/etc/group"
echo 'hosts: files dns' >"$target/etc/nsswitch.conf"
