"""What ``import failsoft`` gives, and what it costs: nothing but the names."""

import subprocess
import sys

HEAVY = ("anthropic", "fastapi", "rich", "starlette", "typer", "uvicorn")

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


def test_importing_brings_in_neither_server_nor_terminal_nor_sdk():
    assert run(f"import sys, failsoft; print([p for p in {HEAVY} if p in sys.modules])") == "[]"


def test_importing_reads_no_file_opens_no_socket_and_starts_no_thread():
    assert run(f"{WATCH}\nprint(seen, threading.active_count())") == "[] 1"
