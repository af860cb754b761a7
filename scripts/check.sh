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
# Hundreds of processes are started: what they import is compiled once, whatever the environment says.
export PYTHONDONTWRITEBYTECODE=
.venv/bin/python -m compileall -q -j 2 .venv/lib src tests benchmarks
# Four on two cores: many tests wait for processes and their windows. Modules in the order of
# tests/conftest.py, each in one worker with what it started.
exec .venv/bin/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder "$@"
