"""The client's own tests: vitest, in Node."""

import re

from npm_packages import run


def test_the_client_passes_its_own_tests(packages):
    code, said = run(packages, "node_modules/vitest/vitest.mjs", "run")
    assert code == 0, said
    assert re.search(r"Tests .*[1-9][0-9] passed", re.sub(r"\x1b\[\d+m", "", said)), said
