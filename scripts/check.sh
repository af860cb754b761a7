#!/bin/sh
# Everything that must hold before a change lands: style, types, tests.
set -eu
cd "$(dirname "$0")/.."
.venv/bin/ruff check --quiet .
.venv/bin/ruff format --quiet --check .
.venv/bin/mypy --no-error-summary
exec .venv/bin/python -m pytest -n 2 "$@"
