#!/bin/busybox sh
# shellcheck shell=dash
# /init of the QEMU guest's initramfs, copied into it when kernel.sh builds it: loads what 9p needs, mounts this
# machine's root read-only at /root and $OUT at /out, and goes on with $OUT/.init (qemu-init.sh, fresh on every run).
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t devtmpfs dev /dev
for module in $($b cat /mods); do $b insmod "/m/$module.ko" 2>/dev/null; done
o=trans=virtio,version=9p2000.L,msize=512000,access=any
# shellcheck disable=SC1091  # exists in the guest only
$b mount -t 9p -o "ro,$o,cache=loose" root /root && $b mount -t 9p -o "$o,cache=mmap" w0 /out && . /out/.init
echo 'lab: no root file system or no .init' > /dev/ttyS0
echo o > /proc/sysrq-trigger
$b sleep 10
