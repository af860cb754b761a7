"""A wrapped client keeps its types under pyright; that mypy agrees, ``make test`` checks before."""

import json
import sys
from pathlib import Path

import pytest
from npm_packages import NotHere, bring, run

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What pyright says, by file: of the program, and of one that expects another type."""
    try:
        node = bring(HERE)
    except NotHere as missing:
        pytest.skip(str(missing))
    settings = {
        "typeCheckingMode": "strict",
        "reportUnnecessaryTypeIgnoreComment": "error",
        "enableTypeIgnoreComments": False,
        "extraPaths": [str(ROOT / "src")],
    }
    program = (HERE / "wrapped_calls.py").read_text()
    folder = tmp_path_factory.mktemp("programs")
    (folder / "program.py").write_text(program)
    (folder / "lost.py").write_text(program.replace("(client, Anthropic)", "(client, str)"))
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    arguments = ("--project", str(folder), "--pythonpath", sys.executable, "--outputjson")
    said = json.loads(run(node, "node_modules/pyright/index.js", *arguments, cwd=HERE)[1])
    assert said["summary"]["filesAnalyzed"] == 2
    return {
        name: [one["message"] for one in said["generalDiagnostics"] if one["file"].endswith(name)]
        for name in ("program.py", "lost.py")
    }


def test_programs_with_a_wrapped_client_check_without_an_error(told):
    assert told["program.py"] == []


def test_a_type_that_was_lost_would_be_told(told):
    assert any("assert_type" in message for message in told["lost.py"])
