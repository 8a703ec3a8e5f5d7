#!/bin/bash
# PID 1 of the User Mode Linux guest.  Root is this machine's, read-only (hostfs), with tmpfs on /tmp /run /var/log
# /var/tmp; what these would hide of the repository and $OUT is bound back.  Runs $OUT/.cmd on tty0, writes .rc, halts.
# lab_out and lab_repo arrive as kernel arguments.  /run is made elsewhere first, as in qemu-init.sh.
# shellcheck disable=SC2154
export PATH=/usr/sbin:/usr/bin:/sbin:/bin MODPROBE_OPTIONS='-d /run/mods'
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/shm /dev/pts
mount -t devpts dev /dev/pts
mount -t tmpfs tmpfs /dev/shm
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr
mkdir -p /dev/net
mknod /dev/net/tun c 10 200 2>/dev/null
mount -t tmpfs tmpfs /run
mkdir -p /run/out /run/repo /run/mods/lib/modules
mount -t hostfs none /run/out -o "$lab_out"
mount -t hostfs none /run/repo -o "$lab_repo"
for dir in /tmp /var/log /var/tmp; do mount -t tmpfs -o mode=1777 tmpfs $dir; done
[ -d "$lab_repo" ] || { mkdir -p "$lab_repo" && mount --bind /run/repo "$lab_repo" && mount -o remount,ro,bind "$lab_repo"; }
mkdir -p "$lab_out"
mount --bind /run/out "$lab_out"
while read -r dir; do
  [ -n "$dir" ] || continue
  mkdir -p "$dir"
  mount -t hostfs none "$dir" -o "$dir"
done < /run/out/.rw
version=$(uname -r)
ln -s "/usr/lib/uml/modules/$version" "/run/mods/lib/modules/$version"
printf '#!/bin/sh\nexec /sbin/modprobe -d /run/mods "$@"\n' > /run/modprobe
chmod +x /run/modprobe
echo /run/modprobe > /proc/sys/kernel/modprobe
ip link set lo up
exec 3> /dev/tty0
stty -F /dev/tty0 raw -echo
# shellcheck disable=SC1091
( . /run/out/.cmd ) </dev/null >&3 2>&1 3>&-
echo $? > /run/out/.rc
exec busybox poweroff -f
