"""What ``import failsoft`` gives, and what it costs: nothing but the names."""

import ast
import inspect
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import failsoft

HEAVY = (
    *("aiohttp", "anthropic", "asyncio", "fastapi", "numpy", "prometheus_client", "pydantic"),
    *("pydantic_core", "redis", "rich", "starlette", "typer", "uvicorn", "yaml"),
)
# With all that only the service and the command line need.
NOT_FOR_A_CALL = ("fastapi", "prometheus_client", "rich", "starlette", "typer", "uvicorn", "yaml")

WATCH = """
import sys

seen = []

def listen(event, args):
    if event == "open":
        name = str(args[0])
        if not name.endswith((".py", ".pyc", ".so")) and not isinstance(args[0], int):
            seen.append(name)
    elif event.startswith(("socket.", "subprocess.", "sqlite3.", "os.mkdir", "os.putenv")):
        seen.append(event)

sys.addaudithook(listen)
import failsoft
import threading
"""


def run(code: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout.strip()


def test_every_public_name_exists_once():
    said = run(
        "import failsoft\n"
        "names = failsoft.__all__\n"
        "print([n for n in names if not hasattr(failsoft, n)], len(names) - len(set(names)))\n"
        "print('Failsoft' in names, 'SettingError' in names)"
    )
    assert said == "[] 0\nTrue True"


def test_importing_brings_in_nothing_else():
    assert run(f"import sys, failsoft; print([p for p in {HEAVY} if p in sys.modules])") == "[]"


def test_a_client_needs_neither_server_nor_terminal():
    made = "failsoft.Failsoft(failsoft.Settings(anthropic=failsoft.ProviderSettings(api_key='k')))"
    loaded = f"print([p for p in {NOT_FOR_A_CALL} if p in sys.modules])"
    assert run(f"import sys, failsoft; {made}; {loaded}") == "[]"


def test_names_are_loaded_from_where_type_checkers_see_them():
    tree = ast.parse(Path(failsoft.__file__).read_text(encoding="utf-8"))
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in checked.body if isinstance(node, ast.ImportFrom)]
    seen = {alias.name: node.module for node in imports for alias in node.names}
    assert seen.pop("events") == "failsoft.telemetry"
    assert seen == failsoft._MODULE_OF
    assert {*seen, "events", "__version__"} == set(failsoft.__all__)


def test_functions_stay_functions_when_the_packages_of_their_names_are_imported():
    said = run(
        "import failsoft.wrap.wrap, failsoft.classify.classifier, failsoft\n"
        "print(failsoft.wrap.__module__, failsoft.classify.__module__)\n"
        "print(failsoft.classify(TimeoutError()))"
    )
    assert said == "failsoft.wrap.wrap failsoft.classify.classifier\ntimeout · no_answer"


def test_an_unknown_name_is_an_attribute_error():
    assert run("import failsoft; print(hasattr(failsoft, 'nothing'))") == "False"


def test_the_version_is_that_of_the_distribution():
    assert failsoft.__version__ == version("failsoft")


def test_the_blocking_calls_take_what_the_asynchronous_ones_take():
    for name in ("__init__", "ask", "complete", "stream"):
        ours = inspect.signature(getattr(failsoft.BlockingFailsoft, name)).parameters
        theirs = inspect.signature(getattr(failsoft.Failsoft, name)).parameters
        assert list(ours.values()) == list(theirs.values()), name


def test_importing_reads_no_file_opens_no_socket_and_starts_no_thread():
    assert run(f"{WATCH}\nprint(seen, threading.active_count())") == "[] 1"
