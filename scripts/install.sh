# Functions that quickstart and check share: Debian packages and the virtual environment. Sourced, not run.

PACKAGES_REAL=$(awk '!/^#/ { print $1 }' src/pileus/supervise/packages.txt)
PACKAGES_TEST="postgresql haproxy chromium curl libvirt-clients tcpdump slapd libldap-dev
 libsasl2-dev"
LOG=${LOG:-$(mktemp -t pileus-install.XXXXXX)}

say() { printf '%s\n' "$*"; }

fail() {
  printf 'pileus: %s\n' "$*" >&2
  exit 1
}

missing_packages() {
  local name
  for name in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || printf '%s ' "$name"
  done
}

# Debian packages by name; the services that they bring are not started: Pileus runs its own in its state directory.
install_packages() {
  local lacking policy=/usr/sbin/policy-rc.d made=
  lacking=$(missing_packages "$@")
  [ -n "$lacking" ] || return 0
  [ "$(id -u)" = 0 ] || fail "these Debian packages are missing, and only root can install them: $lacking"
  command -v apt-get >/dev/null || fail "this needs Debian's apt-get to install: $lacking"
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy && made=1
  fi
  { DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $lacking; } >>"$LOG" 2>&1
  local status=$?
  [ -z "$made" ] || rm -f $policy
  [ $status = 0 ] || fail "apt-get could not install $lacking; the end of $LOG says why: $(tail -n 3 "$LOG")"
}

# .venv with Pileus and the named extras in it; made again only when pyproject.toml has changed.
install_python() {
  local extras=$1 stamp=.venv/.installed want
  want=$(cat pyproject.toml <(echo "$extras") | sha256sum)
  [ "$(cat $stamp 2>/dev/null)" = "$want" ] && return 0
  command -v python3 >/dev/null || fail "python3 is missing: apt-get install python3 python3-venv"
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "Pileus needs Python 3.11 or newer; $(python3 --version) is here."
  [ -x .venv/bin/python ] || python3 -m venv .venv >>"$LOG" 2>&1 || fail "python3 -m venv failed: apt-get install python3-venv"
  .venv/bin/pip install -q -e ".[$extras]" >>"$LOG" 2>&1 || fail "pip failed; the end of $LOG says why: $(tail -n 3 "$LOG")"
  echo "$want" >$stamp
}

# The guest image at the given place; built once, and again when its recipe has changed.
build_image() {
  local image=$1 recipe
  recipe=$(find guest -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c 1-64)
  [ -s "$image" ] && [ "$(cat "$image.recipe" 2>/dev/null)" = "$recipe" ] && return 0
  mkdir -p "$(dirname "$image")"
  guest/build "$image" >>"$LOG" 2>&1 || fail "the guest image could not be built; the end of $LOG says why: $(tail -n 3 "$LOG")"
  echo "$recipe" >"$image.recipe"
}
