#!/bin/bash
# Prepares the QEMU guest's kernel once and prints the directory that holds it: vmlinux, initrd, mods/lib/modules/VERSION, version.
# It is Debian's own kernel package, downloaded and unpacked but never installed, so no root is needed.  Ready: no output
# but the path, ~10 ms.  VIPVS_LAB_CACHE names another directory, VIPVS_LAB_KERNEL_DEB a package file (no download).
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
PATH=$PATH:/usr/sbin:/sbin
cache=${VIPVS_LAB_CACHE:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/vipvs/lab}

fail() {
  echo "lab: $*" >&2
  exit 126
}
# The cached initrd holds a copy of guest/initramfs-init.sh; a changed one rebuilds.
ready() { [ -s "$cache/version" ] && cmp -s "$here/guest/initramfs-init.sh" "$cache/init"; }

download() {
  if [ -n "${VIPVS_LAB_KERNEL_DEB:-}" ]; then
    cp "$VIPVS_LAB_KERNEL_DEB" kernel.deb
    return
  fi
  local package
  package=$(apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
  [ -n "$package" ] || fail 'no package linux-image-amd64 is known here: run apt-get update as root, or set VIPVS_LAB_KERNEL_DEB'
  echo "lab: downloading $package (70 MB)" >&2
  apt-get -qq -o APT::Sandbox::User=root download "$package" >download.log 2>&1 || fail "cannot download $package: $(tail -n 1 download.log)"
  mv linux-image-*.deb kernel.deb
}

# QEMU's PVH entry starts an uncompressed vmlinux: 2.5 s less than unpacking xz in the guest.
# Offsets 497, 584, 588: setup_sects, payload_offset, payload_length of Documentation/arch/x86/boot.rst.
unpack_kernel() {
  local image=$1 sectors offset length
  sectors=$(od -An -tu1 -j 497 -N1 "$image")
  offset=$(od -An -tu4 -j 584 -N4 "$image")
  length=$(od -An -tu4 -j 588 -N4 "$image")
  dd if="$image" iflag=skip_bytes,count_bytes,fullblock bs=1M skip=$(((sectors + 1) * 512 + offset)) count=$((length)) status=none |
    xz -dc --single-stream > vmlinux
}

# 390 MB of modules, 80 of which a network test can use.
prune_modules() {
  local version=$1 kept=modules.kept
  (
    cd "x/lib/modules/$version"
    {
      ls -d modules.builtin modules.builtin.modinfo modules.order
      ls -d kernel/{net,lib,crypto,arch/x86/crypto,security} kernel/fs/{9p,netfs,fscache,fuse,overlayfs,nls} \
        kernel/drivers/{virtio,net/*.ko,block/loop.ko,char/virtio_console.ko,char/hw_random/virtio-rng.ko} \
        kernel/drivers/net/{vxlan,ipvlan,bonding,team,wireguard,geneve*} 2>/dev/null || true
    } > $kept
  )
  mkdir -p "mods/lib/modules/$version"
  tar -C "x/lib/modules/$version" -cf - -T "x/lib/modules/$version/$kept" | tar -C "mods/lib/modules/$version" -xf -
  depmod -b "$PWD/mods" "$version"
}

build_initrd() {
  local version=$1 module
  mkdir -p i/bin i/m i/proc i/dev i/root i/out
  cp "$(type -P busybox)" i/bin/busybox
  cp "$here/guest/initramfs-init.sh" i/init
  chmod 755 i/init
  for module in virtio_pci 9pnet_virtio 9p virtio_console; do
    modprobe -d "$PWD/mods" -S "$version" --show-depends $module
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' > needed
  while read -r module; do
    cp "$module" i/m/
    basename "$module" .ko
  done < needed > i/mods
  [ -s i/mods ]
  cp i/init init
  (cd i && find . | busybox cpio -o -H newc 2>/dev/null) > initrd
}

build() {
  local work=$cache/.new version tool
  for tool in apt-get dpkg-deb xz busybox depmod tar; do
    type -P $tool >/dev/null || fail "cannot prepare the guest kernel without $tool: run scripts/setup.sh"
  done
  [ "$(uname -m)" = x86_64 ] || fail 'the guest kernel is prepared on x86_64 only: use an engine host'
  rm -rf "$work"
  mkdir -p "$work"
  cd "$work"
  download
  dpkg-deb -x kernel.deb x
  version=$(ls x/lib/modules)
  unpack_kernel "x/boot/vmlinuz-$version"
  prune_modules "$version"
  build_initrd "$version"
  rm -rf x i kernel.deb needed download.log
  echo "$version" > version
  rm -rf "$cache"/{version,init,vmlinux,initrd,mods}
  mv init vmlinux initrd mods "$cache/"
  mv version "$cache/" # last: it says that the rest is there
  cd /
  rm -rf "$work"
}

if [ "${1:-}" = --ready ]; then # only asks
  ready
  exit
fi
if ! ready; then
  mkdir -p "$cache" 2>/dev/null || fail "cannot create $cache: set VIPVS_LAB_CACHE to a directory that can be written"
  exec 9> "$cache/.lock"
  flock 9
  ready || (build) || fail "cannot prepare the guest kernel in $cache"
fi
cd "$cache" && pwd
