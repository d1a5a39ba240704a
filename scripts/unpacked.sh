# For scripts that unpack programs of Debian's packages into a folder, for the tests; nothing is installed. They source it, and have a
# function `fail` that says what to do without.
# shellcheck shell=bash

# The folder for what is called $1: among the project's modules where they are, else in the user's cache.
cache_folder() {
  local root
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  if [ -d "$root/node_modules" ] && [ -w "$root/node_modules" ]; then
    echo "$root/node_modules/.cache/$1"
  else
    echo "${XDG_CACHE_HOME:-$HOME/.cache}/trimaran/$1"
  fi
}

require_debian() {
  local tool
  for tool in apt-get dpkg; do
    command -v "$tool" >/dev/null || fail "this machine has no $tool; only Debian and what derives from it is supported"
  done
}

# Moves the folder $1 to $2, whole or not at all: another run may look at the same time.
keep_unpacked() {
  mkdir -p "$(dirname "$2")"
  rm -rf "$2.new.$$" && mv "$1" "$2.new.$$"
  if [ ! -e "$2" ]; then mv -T "$2.new.$$" "$2" 2>/dev/null || true; fi
  rm -rf "$2.new.$$"
}
