#!/usr/bin/env bash
# Gets nats-server for the tests from Debian and unpacks it into a cache folder; nothing is installed or upgraded.
# Does nothing when it is there. The last line printed is the path of the program.
# Usage: nats-server.sh [SUITE]   sid (the default) has the newest; an older suite serves to test what is refused.
set -euo pipefail

suite=${1:-sid}
# shellcheck source=scripts/unpacked.sh
. "$(dirname "${BASH_SOURCE[0]}")/unpacked.sh"
cache=$(cache_folder nats-server)
program=$cache/$suite/usr/sbin/nats-server

fail() {
  echo "nats-server.sh: $1" >&2
  echo "Install nats-server 2.12 or later by other means, so that it is on the PATH." >&2
  exit 1
}

if [ -x "$program" ]; then
  echo "$program"
  exit 0
fi
require_debian

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/unpacked"

# The archive and the key that this machine uses, for another suite. Both forms of apt's sources.
uri=$({ cat /etc/apt/sources.list.d/*.sources 2>/dev/null || true; } | sed -n 's/^URIs:[[:space:]]*\([^[:space:]]*\/debian\)\/\{0,1\}\([[:space:]].*\)\{0,1\}$/\1/p' | head -n 1)
if [ -z "$uri" ]; then
  uri=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true; } |
    sed -n 's/^deb[[:space:]]\(\[[^]]*\][[:space:]]*\)\{0,1\}\([^[:space:]]*\/debian\)\/\{0,1\}[[:space:]].*$/\2/p' | head -n 1)
fi
[ -n "$uri" ] || fail 'no archive of Debian among the sources of apt'
key=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e "$key" ] || fail "$key is missing (Debian's package debian-archive-keyring)"
printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$uri" "$suite" "$key" >"$work/debian.sources"

apt() {
  apt-get -qq -o "Dir::Etc::sourcelist=$work/debian.sources" -o Dir::Etc::sourceparts=/nonexistent \
    -o "Dir::State=$work/state" -o Dir::State::status=/var/lib/dpkg/status -o "Dir::Cache=$work/cache" \
    -o APT::Sandbox::User=root "$@"
}
echo "Getting nats-server of Debian $suite from $uri" >&2
apt update >&2 || fail "the package list of Debian $suite could not be read from $uri"
(cd "$work" && apt download nats-server >&2) || fail "Debian $suite at $uri has no nats-server for this machine"
dpkg -x "$work"/nats-server_*.deb "$work/unpacked"
"$work/unpacked/usr/sbin/nats-server" --version >/dev/null || fail 'the program of the package does not run on this machine'

keep_unpacked "$work/unpacked" "$cache/$suite"
[ -x "$program" ] || fail "$program did not come to be"
"$program" --version >&2
echo "$program"
