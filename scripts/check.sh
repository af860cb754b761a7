#!/bin/sh
# Everything that must hold before a change lands: style, types, tests.
set -eu
cd "$(dirname "$0")/.."
.venv/bin/ruff check --quiet .
.venv/bin/ruff format --quiet --check .
.venv/bin/mypy --no-error-summary
# Some tests need a real Prometheus, Redis, HAProxy or Chromium; without it they say that they are skipped.
sh scripts/programs.sh prometheus:promtool redis-server:redis-server haproxy:haproxy chromium-headless-shell:chromium-headless-shell ||
    echo "Without it some tests are skipped." >&2
# Three on two cores: many tests wait for processes and their windows.
exec .venv/bin/python -m pytest -n 3 --dist worksteal "$@"
