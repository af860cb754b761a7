#!/bin/sh
# What must hold before a change lands: style, types and tests. Usage: check.sh [core]
# "core" leaves out the rooms whose tests start servers, browsers and the command line.
set -eu
cd "$(dirname "$0")/.."
began=$(date +%s)
.venv/bin/ruff check --quiet .
.venv/bin/ruff format --quiet --check .
.venv/bin/mypy --no-error-summary
# Hundreds of processes are started: what they import is compiled once, whatever the environment says.
export PYTHONDONTWRITEBYTECODE=
# Tests fill the cores by themselves; the threads of linear algebra would only wait for each other.
export OPENBLAS_NUM_THREADS=1
.venv/bin/python -m compileall -q -j 2 .venv/lib src tests benchmarks
if [ "${1:-}" = core ]; then
    set -- -n 3
    for room in tests/*/; do
        case " attacks cases chaos cli clients concurrency docs examples kits peers request_log server shared_state testing typing web wrap " in
            *" $(basename "$room") "*) ;;
            *) set -- "$@" "$room" ;;
        esac
    done
    echo "The core rooms, not all of them; make test runs every test."
else
    # Some tests need a real Prometheus, Redis, HAProxy or Chromium; without it they say that they are skipped.
    sh scripts/programs.sh prometheus:promtool redis-server:redis-server haproxy:haproxy chromium-headless-shell:chromium-headless-shell ||
        echo "Without it some tests are skipped." >&2
    # More than there are cores: many tests wait for processes and their windows.
    set -- -n 5
fi
# Modules in the order of tests/conftest.py, each in one worker with what it started.
.venv/bin/python -m pytest --dist loadfile --no-loadscope-reorder "$@" && failed=0 || failed=$?
took=$(($(date +%s) - began))
echo "Style, types and tests took $((took / 60)) min $((took % 60)) s."
exit "$failed"
