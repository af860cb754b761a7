#!/bin/sh
# Install those of Debian's packages whose program is missing. Usage: programs.sh package:program ...
set -eu
missing=
for part in "$@"; do
    PATH=$PATH:/usr/sbin command -v "${part#*:}" >/dev/null || missing="$missing ${part%%:*}"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Debian's$missing."
    apt-get -qq update && RUNLEVEL=1 apt-get -qq install -y --no-install-recommends $missing >/dev/null && exit 0
fi
echo "Missing:$missing. Install it as root (on Debian: apt-get install$missing), then run make again." >&2
exit 1
