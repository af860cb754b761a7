#!/bin/sh
# Everything that must hold before a change lands: style, types, tests.
set -eu
cd "$(dirname "$0")/.."
.venv/bin/ruff check --quiet .
.venv/bin/ruff format --quiet --check .
.venv/bin/mypy --no-error-summary
# The alerts are tested by Prometheus's own tool; without it those tests say that they are skipped.
if ! command -v promtool >/dev/null; then
    echo "promtool is missing; installing Debian's prometheus, which brings it."
    { apt-get -qq update && RUNLEVEL=1 apt-get -qq install -y --no-install-recommends prometheus >/dev/null; } ||
        echo "Could not install it. As root: apt-get install prometheus; the alerts are not tested." >&2
fi
exec .venv/bin/python -m pytest -n 2 "$@"
