#!/bin/sh
# Write requirements/*.txt anew from pyproject.toml, and the pins of what benchmarks, frameworks under
# test and the SDK's own suite install apart from their *.in: exact versions with hashes, no index named.
set -eu
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}
compile() {
    env -u UV_INDEX -u UV_DEFAULT_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL \
        "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --no-annotate "$@"
}
echo "uv" | compile - -o requirements/uv.txt
service="--extra cli --extra rules --extra server"
# shellcheck disable=SC2086 # several words
compile pyproject.toml requirements/build.in requirements/uv.in $service --extra redis --extra anthropic -o requirements/run.txt
# shellcheck disable=SC2086
compile pyproject.toml requirements/build.in requirements/uv.in $service --group dev -o requirements/dev.txt
compile --group pyproject.toml:docs requirements/uv.in -o requirements/docs.txt
for apart in benchmarks/*/pins/*.in; do
    compile "$apart" -o "${apart%.in}.txt"
done
compile pyproject.toml tests/sdk_suite/sdk-suite.in -o tests/sdk_suite/sdk-suite.txt
compile pyproject.toml --extra server tests/clients/frameworks/frameworks.in -o tests/clients/frameworks/frameworks.txt
