#!/bin/bash
# Installs what is missing, and nothing else: npm packages (the pinned Node is one), Debian packages, the native library,
# the lab's kernel. Prints a line for each step that had something to do, and a step's own output only if it fails.
# usage: scripts/setup.sh [npm | lab-packages | cluster-packages | test-packages | image-packages | check-packages | native |
#   kernel]...     (default: all)
# Several may run at once: the later one waits and finds the work done.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
export PATH=$PWD/node_modules/.bin:$PATH:/usr/sbin:/sbin

# package and the command (or file, or static: command) by which it is known to be there, whatever installed it
LAB_PACKAGES='iproute2 ip
kmod modprobe
procps sysctl
qemu-system-x86 qemu-system-x86_64
busybox-static static:busybox
xz-utils xz
ipvsadm ipvsadm
nftables nft
curl curl'
# PyPI's Go, where the machine has none that is new enough, builds the tests' control plane
CLUSTER_PACKAGES='python3 python3
python3-pip pip3'
TEST_PACKAGES='user-mode-linux linux.uml
keepalived keepalived
conntrack conntrack
iptables iptables
ipset ipset
socat socat
iputils-ping ping
tcpdump tcpdump
openssl openssl
valgrind valgrind
qemu-user qemu-aarch64
gcc-aarch64-linux-gnu aarch64-linux-gnu-gcc
libc6-dev-arm64-cross /usr/aarch64-linux-gnu/include/stdio.h
clang-14 clang-14
libclang-rt-14-dev /usr/lib/llvm-14/lib/clang/14.0.6/lib/linux/libclang_rt.fuzzer-x86_64.a'
# builds the image out of packages, and runs it
IMAGE_PACKAGES='buildah buildah
debootstrap debootstrap
crun crun'
CHECK_PACKAGES='shellcheck shellcheck'

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# quietly TEXT COMMAND...: says TEXT and how long it took; the output only when the command fails
quietly() {
  local text=$1 start=$SECONDS
  shift
  echo "setup: $text"
  if ! "$@" </dev/null >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "setup: $text: failed (above)" >&2
    exit 1
  fi
  [ $((SECONDS - start)) -lt 5 ] || echo "setup: $text: done in $((SECONDS - start)) s"
}

# What is installed (npm keeps a list) is what the lock file says; packages for other machines may be missing.
npm_is_fresh() {
  [ -f node_modules/.package-lock.json ] && node -e '
    const read = (file) => JSON.parse(require("node:fs").readFileSync(file, "utf8")).packages;
    const installed = read("node_modules/.package-lock.json");
    const stale = Object.entries(read("package-lock.json")).some(([path, wanted]) =>
      path !== "" && installed[path]?.version !== wanted.version && !(wanted.optional && !installed[path]));
    process.exit(stale ? 1 : 0);'
}

install_npm() {
  type -P npm >/dev/null || { echo 'setup: npm is missing: install Node.js with npm (Debian: apt-get install npm)' >&2; exit 1; }
  exec 8< package-lock.json
  flock 8
  npm_is_fresh || quietly 'npm packages and the pinned Node' npm ci --loglevel=error
  link_node
  exec 8<&-
}

# npm 9 (Debian 12) removes .bin/node again: the Node package for the other machine type, which it leaves out, has that name too.
link_node() {
  local machine pinned version
  case $(uname -m) in
    x86_64) machine=x64 ;;
    aarch64) machine=arm64 ;;
    *) machine=none ;;
  esac
  pinned=node_modules/node-linux-$machine/bin/node
  if [ -x $pinned ]; then
    [ node_modules/.bin/node -ef $pinned ] || { mkdir -p node_modules/.bin && ln -sfn "../node-linux-$machine/bin/node" node_modules/.bin/node; }
    return
  fi
  version=$(node --version 2>/dev/null) || version=none
  if [[ ! $version =~ ^v([0-9]+) ]] || [ "${BASH_REMATCH[1]}" -lt 24 ]; then
    echo "setup: needs Node 24 or later, found $version, and npm left out the pinned one (package node-linux-$machine; does npm's configuration omit optional packages?)" >&2
    exit 1
  fi
}

is_there() {
  case $1 in
    /*) [ -e "$1" ] ;;
    static:*) type -P "${1#static:}" >/dev/null && ! ldd "$(type -P "${1#static:}")" >/dev/null 2>&1 ;;
    *) type -P "$1" >/dev/null ;;
  esac
}

missing_packages() {
  local package probe
  while read -r package probe; do
    is_there "$probe" || echo "$package"
  done <<< "$1"
}

# Installed, but not started: a package's service (keepalived) is for the lab's guest, not for this machine.
apt_install() {
  local policy=/usr/sbin/policy-rc.d made='' code=0
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' > $policy
    chmod +x $policy
    made=1
  fi
  local install=(apt-get -o DPkg::Lock::Timeout=300 install -qq -y --no-install-recommends "$@")
  export DEBIAN_FRONTEND=noninteractive
  "${install[@]}" || { apt-get -o DPkg::Lock::Timeout=300 update -qq && "${install[@]}"; } || code=$?
  [ -z "$made" ] || rm -f $policy
  return $code
}

# need_packages TABLE...: installs them as root; else says what to run
need_packages() {
  local missing=() table
  exec 9< scripts/setup.sh
  flock 9
  for table in "$@"; do
    mapfile -t -O ${#missing[@]} missing < <(missing_packages "$table")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ] || ! type -P apt-get >/dev/null; then
      echo "setup: please run:  sudo apt-get install --no-install-recommends ${missing[*]}" >&2
      exit 1
    fi
    quietly "Debian packages ${missing[*]}" apt_install "${missing[@]}"
  fi
  exec 9<&-
}

build_native() {
  make -q -C native >/dev/null 2>&1 || quietly 'native library' make -C native
}

# A machine whose kernel has IPVS needs no guest (test/lab/run decides the same way).
prepare_kernel() {
  if [ "$(id -u)" = 0 ] && { [ -e /proc/net/ip_vs ] || modprobe -q ip_vs 2>/dev/null; }; then
    return
  fi
  test/lab/kernel.sh --ready || quietly "the lab's kernel (70 MB)" test/lab/kernel.sh
}

[ $# -gt 0 ] || set -- npm lab-packages cluster-packages test-packages image-packages check-packages native kernel
tables=()
for step; do
  case $step in
    npm) install_npm ;;
    lab-packages) tables+=("$LAB_PACKAGES") ;;
    cluster-packages) tables+=("$CLUSTER_PACKAGES") ;;
    test-packages) tables+=("$TEST_PACKAGES") ;;
    image-packages) tables+=("$IMAGE_PACKAGES") ;;
    check-packages) tables+=("$CHECK_PACKAGES") ;;
    native | kernel) ;; # after the packages
    *)
      echo "setup: unknown step $step" >&2
      exit 2
      ;;
  esac
done
[ ${#tables[@]} = 0 ] || need_packages "${tables[@]}"
for step; do
  case $step in
    native) build_native ;;
    kernel) prepare_kernel ;;
  esac
done
