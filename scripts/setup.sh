#!/bin/sh
# Make .venv hold what requirements/<set>.txt pins, or .venv-docs. Usage: setup.sh run|dev|docs
set -eu
set=$1
cd "$(dirname "$0")/.."
env=.venv
[ "$set" != docs ] || env=.venv-docs
python=$(command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3) || {
    echo "failsoft needs Python 3.11 or newer: install it (on Debian: apt-get install python3) and run make again." >&2
    exit 1
}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "failsoft needs Python 3.11 or newer; $python is older. Install one and run make again." >&2
    exit 1
}
if [ ! -x $env/bin/python ]; then
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        echo "Python's venv module is missing; installing Debian's python3-venv."
        apt-get -qq update && apt-get -qq install -y python3-venv >/dev/null || {
            echo "Could not install it. As root: apt-get install python3-venv; then run make again." >&2
            exit 1
        }
    fi
    "$python" -m venv $env
fi
# What is there for the tests stays there: the pins of dev are those of run, and more.
[ "$set" != run ] || [ ! -e .venv/.dev ] || set=dev
log=$env/setup.log
[ -e "$env/.$set" ] || echo "Setting up $env: up to a minute, the first time only." >&2
if ! {
    $env/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/uv.txt &&
    $env/bin/uv pip sync --quiet --python $env/bin/python --require-hashes "requirements/$set.txt" &&
    # The pages are made from the source as it lies there.
    { [ "$set" = docs ] || $env/bin/uv pip install --quiet --python $env/bin/python --no-deps --no-build-isolation -e .; }
} >"$log" 2>&1; then
    cat "$log" >&2
    echo "Set-up failed; the lines above say why. Is the package index reachable? 'make clean' starts afresh." >&2
    exit 1
fi
touch "$env/.$set"
[ "$set" != dev ] || touch .venv/.run
