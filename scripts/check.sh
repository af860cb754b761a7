#!/bin/sh
# Everything that must hold before a change lands: style, types, tests.
set -eu
cd "$(dirname "$0")/.."
.venv/bin/ruff check --quiet .
.venv/bin/ruff format --quiet --check .
.venv/bin/mypy --no-error-summary
# Some tests need a real Prometheus, Redis, HAProxy or Chromium; without it they say that they are skipped.
missing=
for part in prometheus:promtool redis-server:redis-server haproxy:haproxy chromium:chromium; do
    PATH=$PATH:/usr/sbin command -v "${part#*:}" >/dev/null || missing="$missing ${part%%:*}"
done
if [ -n "$missing" ]; then
    echo "Installing Debian's$missing for the tests."
    { apt-get -qq update && RUNLEVEL=1 apt-get -qq install -y --no-install-recommends $missing >/dev/null; } ||
        echo "Could not install it. As root: apt-get install$missing; some tests are skipped." >&2
fi
exec .venv/bin/python -m pytest -n 2 "$@"
