#!/usr/bin/env bash
# Installs from Debian what the interop tests and the benchmarks use: real clients, another broker, a browser.
# Tests whose tool is missing fail and name it.
set -euo pipefail

packages=(mosquitto mosquitto-clients chromium python3-stomp python3-paho-mqtt)

if ! command -v apt-get >/dev/null; then
  echo "This is not Debian (no apt-get). Install by other means: ${packages[*]}" >&2
  exit 1
fi
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "Test tools are installed: ${packages[*]}"
  exit 0
fi
sudo=
[ "$(id -u)" -eq 0 ] || sudo=sudo
echo "Installing from Debian: ${missing[*]}"
# The package of mosquitto would start a broker on port 1883, which the tests do not want.
policy=/usr/sbin/policy-rc.d
made_policy=no
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
  $sudo chmod +x "$policy"
  made_policy=yes
fi
trap '[ "$made_policy" = no ] || $sudo rm -f "$policy"' EXIT
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
$sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "Installed."
