#!/usr/bin/env bash
# Installs from Debian what the interop tests and the benchmarks use: real clients, another broker, a browser.
# nats-server, of which the stable release is too old, and syslog-ng, which would replace the machine's logger, are only unpacked into
# cache folders.
# Only what is missing. Without a tool its tests are skipped and say so; with CI=true they fail.
set -euo pipefail

packages=(mosquitto mosquitto-clients strace chromium python3-stomp python3-paho-mqtt paho.mqtt.c-examples
  ruby-stomp libnet-stomp-perl php-stomp php-cli)

fail() {
  echo "install-test-tools: $1" >&2
  echo "Install by other means: ${packages[*]}" >&2
  exit 1
}

is_debian() { # or derived from it
  (. /etc/os-release && [[ " ${ID:-} ${ID_LIKE:-} " == *" debian "* ]]) 2>/dev/null && command -v apt-get >/dev/null
}

is_installed() {
  dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'
}

is_debian || fail 'this is not Debian'
"$(dirname "${BASH_SOURCE[0]}")/nats-server.sh" >/dev/null
"$(dirname "${BASH_SOURCE[0]}")/syslog-ng.sh" >/dev/null
missing=()
for package in "${packages[@]}"; do
  is_installed "$package" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "Test tools are installed: ${packages[*]}"
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || fail "missing: ${missing[*]}; installing them takes root or sudo"
  as_root=(sudo)
fi

# The package of mosquitto would start a broker on port 1883, now and at every boot; the tests start their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod +x "$policy"
fi

update() {
  echo 'Updating the package lists'
  "${as_root[@]}" apt-get update -qq
}
install() {
  echo "Installing from Debian: ${missing[*]}"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null || update
# Lists that are there may be old.
install || { update && install; } || fail "could not install: ${missing[*]}"
if [[ " ${missing[*]} " == *' mosquitto '* ]] && command -v systemctl >/dev/null; then
  "${as_root[@]}" systemctl disable --quiet mosquitto 2>/dev/null || true
fi
for package in "${missing[@]}"; do
  is_installed "$package" || fail "$package is still missing"
done
echo 'Installed.'
