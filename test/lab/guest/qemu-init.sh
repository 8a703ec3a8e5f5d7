# shellcheck shell=sh disable=SC2154
# Sourced by the initramfs as PID 1 ($b busybox, $o the 9p options, the host's root at /root, $OUT at /out).
# Leaves the host's root read-only, with tmpfs on /tmp /run /var/log /var/tmp; what these would hide of the repository,
# the module tree and $OUT is bound back.  Runs $OUT/.cmd, writes its exit code to $OUT/.rc and powers off.
# shellcheck disable=SC1091
. /out/.env
r=/root
m() { $b mount "$@"; }
m --move /proc $r/proc
m --move /dev $r/dev
m -t sysfs sys $r/sys
$b mkdir -p $r/dev/shm $r/dev/pts
m -t devpts dev $r/dev/pts
m -t tmpfs tmpfs $r/dev/shm
for link in fd:/proc/self/fd stdin:/proc/self/fd/0 stdout:/proc/self/fd/1 stderr:/proc/self/fd/2; do
  $b ln -s "${link#*:}" "$r/dev/${link%%:*}"
done
# /run is made elsewhere first: the repository or the cache may lie below the host's /run
$b mkdir -p /newrun
m -t tmpfs tmpfs /newrun
$b mkdir -p /newrun/out /newrun/repo /newrun/mods
m --move /out /newrun/out
m --bind "$r$lab_repo" /newrun/repo
m --bind "$r$lab_cache/mods" /newrun/mods
m --move /newrun $r/run
for dir in /tmp /var/log /var/tmp; do m -t tmpfs -o mode=1777 tmpfs $r$dir; done
[ -d "$r$lab_repo" ] || { $b mkdir -p "$r$lab_repo" && m --bind $r/run/repo "$r$lab_repo"; }
[ -d "$r$lab_out" ] || $b mkdir -p "$r$lab_out"
m --bind $r/run/out "$r$lab_out"
while read -r tag dir; do
  $b mkdir -p "$r$dir"
  m -t 9p -o "$o,cache=mmap" "$tag" "$r$dir"
done < $r/run/out/.rw
# modprobe by hand and by the kernel (link types, schedulers, nft) finds the module tree in /run/mods
version=$($b uname -r)
[ -d $r/lib/modules ] && { m -t tmpfs tmpfs $r/lib/modules && $b ln -s "/run/mods/lib/modules/$version" "$r/lib/modules/$version"; }
printf '#!/bin/sh\nexec /sbin/modprobe -d /run/mods "$@"\n' > $r/run/modprobe
$b chmod +x $r/run/modprobe
echo /run/modprobe > $r/proc/sys/kernel/modprobe
$b ip link set lo up
exec 3> $r/dev/hvc0
$b stty -F $r/dev/hvc0 raw -echo # stays raw while fd 3 is open: bytes pass unchanged
$b cat > $r/run/init <<'X'
export PATH=/usr/sbin:/usr/bin:/sbin:/bin MODPROBE_OPTIONS='-d /run/mods'
if [ -n "$lab_nic" ]; then
  modprobe virtio_net
  for d in /sys/class/net/e*; do ip link set "${d##*/}" name host0; done
  ip address add 10.0.2.15/24 dev host0
  ip link set host0 up
fi
( . /run/out/.cmd ) </dev/null >&3 2>&1 3>&-
echo $? > /run/out/.rc
sync
echo o > /proc/sysrq-trigger
read -t 20 < /dev/zero
X
export lab_nic
exec $b switch_root $r /bin/bash /run/init
