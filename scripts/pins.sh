#!/bin/sh
# Write requirements/*.txt anew from pyproject.toml, and the pins of the benchmarks against peers and of
# the SDK's own suite from their *.in: exact versions with hashes, no index named.
set -eu
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}
compile() {
    env -u UV_INDEX -u UV_DEFAULT_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL \
        "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --no-annotate "$@"
}
echo "uv" | compile - -o requirements/uv.txt
compile pyproject.toml requirements/build.in requirements/uv.in --extra redis --extra anthropic -o requirements/run.txt
compile pyproject.toml requirements/build.in requirements/uv.in --group dev -o requirements/dev.txt
compile --group pyproject.toml:docs requirements/uv.in -o requirements/docs.txt
for peers in benchmarks/peers/pins/*.in; do
    compile "$peers" -o "${peers%.in}.txt"
done
compile pyproject.toml tests/sdk_suite/sdk-suite.in -o tests/sdk_suite/sdk-suite.txt
