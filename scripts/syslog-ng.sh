#!/usr/bin/env bash
# Gets syslog-ng with its STOMP module for the tests from Debian and unpacks it, with the libraries that this machine lacks, into a
# cache folder (1 MB to download, 4 MB on the disk). It is not installed: its package would take the place of the machine's own logger.
# Does nothing when it is there. The last line printed is the path of a script that runs it.
set -euo pipefail

# shellcheck source=scripts/unpacked.sh
. "$(dirname "${BASH_SOURCE[0]}")/unpacked.sh"
cache=$(cache_folder syslog-ng)
program=$cache/syslog-ng

fail() {
  echo "syslog-ng.sh: $1" >&2
  echo "Install syslog-ng-mod-stomp by other means, so that syslog-ng is on the PATH." >&2
  exit 1
}

if [ -x "$program" ]; then
  echo "$program"
  exit 0
fi
require_debian

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/unpacked"

# Where it is installed already, that is what the tests use.
if dpkg-query -W -f='${Status}' syslog-ng-mod-stomp 2>/dev/null | grep -q 'install ok installed'; then
  command -v syslog-ng || PATH=$PATH:/usr/sbin command -v syslog-ng || fail 'syslog-ng-mod-stomp is installed, but syslog-ng is not found'
  exit 0
fi

options=(-qq -o APT::Sandbox::User=root)
download() {
  local missing
  # What would be installed is what is missing. Nothing is, so it takes no root.
  mapfile -t missing < <(apt-get "${options[@]}" -s install --no-install-recommends syslog-ng-mod-stomp 2>/dev/null | awk '/^Inst /{print $2}')
  [ ${#missing[@]} -gt 0 ] || return 1
  echo "Getting from Debian: ${missing[*]}" >&2
  (cd "$work" && apt-get "${options[@]}" download "${missing[@]}" >&2)
}
if ! download; then
  # The machine's package lists are old, or it has none: for this once there are others.
  mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial"
  options+=(-o "Dir::State=$work/state" -o Dir::State::status=/var/lib/dpkg/status -o "Dir::Cache=$work/cache")
  apt-get "${options[@]}" update >&2 || fail 'the package lists of Debian could not be read'
  rm -f "$work"/*.deb
  download || fail 'syslog-ng-mod-stomp could not be downloaded from Debian'
fi
for package in "$work"/*.deb; do dpkg -x "$package" "$work/unpacked"; done

# Its modules and libraries are where they were unpacked, and not where it was built for.
cat >"$work/unpacked/syslog-ng" <<'RUN'
#!/usr/bin/env bash
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
libraries=("$here"/usr/lib/*-linux-* "$here"/lib/*-linux-* "$here"/usr/lib/syslog-ng)
modules=("$here"/usr/lib/syslog-ng/*/libafstomp.so)
LD_LIBRARY_PATH=$(IFS=: && echo "${libraries[*]}") exec "$here/usr/sbin/syslog-ng" "--module-path=$(dirname "${modules[0]}")" "$@"
RUN
chmod +x "$work/unpacked/syslog-ng"
cat >"$work/try.conf" <<'CONF'
@version: current
source lines { stdin(flags(no-parse)); };
destination broker { stomp(host("127.0.0.1") ack(yes)); };
log { source(lines); destination(broker); };
CONF
"$work/unpacked/syslog-ng" --syntax-only --no-caps --cfgfile="$work/try.conf" >&2 || fail 'what was unpacked does not run on this machine'

keep_unpacked "$work/unpacked" "$cache"
[ -x "$program" ] || fail "$program did not come to be"
echo "$program"
