"""Runs the test suite of Anthropic's SDK with every client wrapped, and compares with a bare run.

    PYTHONPATH=. .venv/bin/python tests/sdk_suite/suite.py [--bare] [TEST …]

It makes an environment and unpacks the SDK's source distribution in ``.peers/`` when it is first
needed. The bare run is kept there too; ``--bare`` repeats it. A test that passes bare and fails
wrapped has to be in ``differences.txt``, under its reason, and one that is there has to fail. Names
of files and tests (``tests/test_client.py::TestAnthropic::test_copy``) run those alone.

Of the SDK's generated tests of its resources those of messages and models are run: the others want
a mock of the whole API, and no request of theirs goes through failsoft. On a busy machine a test
may fail by its own clock, so each failure counts that comes twice.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.environments import FOLDER, ROOT, python_with

from failsoft.testing import RunningSimulator

HERE = Path(__file__).parent
PINS = HERE / "sdk-suite.txt"
DIFFERENCES = HERE / "differences.txt"
WORK = FOLDER / "sdk-suite-source"
AT_ONCE = "2"

# More than half of the suite; without their mock server nearly all of them fail.
RESOURCES = "api_resources"
OF_THE_SIMULATOR = ("test_messages.py", "test_models.py")


def main() -> int:
    """Run what the arguments say; 0 where the differences are those that are listed."""
    arguments = _arguments()
    source = _source()
    with RunningSimulator() as simulator:
        bare = _bare(source, simulator.url, arguments.tests, again=arguments.bare)
        passed = {test for test, (outcome, _) in bare.items() if outcome == "passed"}
        chosen = {test for test in passed if _in(test, arguments.tests or [test])}
        wrapped = _run(source, simulator.url, chosen, wrap=True)
        failed = _failed(chosen, wrapped)
        listed = _listed()
        new = {test for test in failed if not _in(test, listed)}
        if new:
            wrapped |= _run(source, simulator.url, new, wrap=True)
            failed -= new - _failed(new, wrapped)
    return _report(chosen, failed, wrapped, listed, whole=not arguments.tests)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="suite", description=__doc__)
    parser.add_argument("--bare", action="store_true", help="repeat the bare run too")
    parser.add_argument("tests", nargs="*", help="run these alone")
    return parser.parse_args()


def _source() -> Path:
    """The SDK's source distribution, of the version and with the hash that are pinned."""
    block = re.compile(r"^anthropic(?:\[.*\])?==(\S+).*?(?=^\S)", re.MULTILINE | re.DOTALL)
    pinned = block.search(PINS.read_text(encoding="utf-8"))
    if pinned is None:
        raise SystemExit(f"{PINS} pins no anthropic: run make pins")
    folder = WORK / f"anthropic-{pinned[1]}"
    if not folder.exists():
        WORK.mkdir(parents=True, exist_ok=True)
        (WORK / "pin.txt").write_text(pinned[0], encoding="utf-8")
        download = "-m pip download --quiet --no-deps --no-build-isolation --no-binary anthropic"
        command = [_python(), *download.split(), "--require-hashes", "-r", "pin.txt"]
        subprocess.run(command, check=True, cwd=WORK)  # noqa: S603 - pinned by its hash
        with tarfile.open(folder.with_name(f"{folder.name}.tar.gz")) as archive:
            archive.extractall(WORK, filter="data")
    return folder


def _python() -> str:
    return python_with(PINS)


def _bare(source: Path, url: str, tests: list[str], *, again: bool) -> dict[str, list[str]]:
    """The kept run; where there is none, a run of these tests, which is kept if that is all."""
    made_of = PINS.read_bytes() + "\n".join(_places(source)).encode()
    kept = WORK / f"bare-{hashlib.sha256(made_of).hexdigest()[:16]}.json"
    if again or not kept.exists():
        outcomes = _run(source, url, None, wrap=False, places=tests)
        failed = {test for test, (outcome, _) in outcomes.items() if outcome == "failed"}
        if failed:
            outcomes |= _run(source, url, failed, wrap=False)
        if tests:
            return outcomes
        kept.write_text(json.dumps(outcomes), encoding="utf-8")
    kept_run: dict[str, list[str]] = json.loads(kept.read_text(encoding="utf-8"))
    return kept_run


def _places(source: Path) -> list[str]:
    """Files and folders with the tests that are run."""
    top = sorted((source / "tests").iterdir())
    places = [one for one in top if one.name.startswith("test_") or one.is_dir()]
    found = [one for one in places if one.name not in (RESOURCES, "fixtures", "__pycache__")]
    for name in OF_THE_SIMULATOR:
        found += sorted((source / "tests" / RESOURCES).rglob(name))
    return [str(one.relative_to(source)) for one in found]


def _run(
    source: Path, url: str, only: set[str] | None, *, wrap: bool, places: Sequence[str] = ()
) -> dict[str, list[str]]:
    """The outcome of each test, and the end of what it said."""
    print(f"{'wrapped' if wrap else 'bare'}: {len(only) if only else 'all'} tests ...", flush=True)
    results, chosen = WORK / "results.json", WORK / "only.txt"
    results.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "TEST_API_BASE_URL": url,
        "SDK_SUITE_RESULTS": str(results),
        "PYTHONPATH": os.pathsep.join((str(HERE), str(ROOT / "src"))),
    }
    if wrap:
        environment["SDK_SUITE_WRAP"] = "1"
    if only is not None:
        chosen.write_text("\n".join(sorted(only)), encoding="utf-8")
        environment["SDK_SUITE_ONLY"] = str(chosen)
    options = ["-q", "--tb=short", "-n", AT_ONCE, "-p", "no:cacheprovider", "-p", "wrapping"]
    log = (WORK / ("wrapped.log" if wrap else "bare.log")).open("w", encoding="utf-8")
    with log:
        command = [
            _python(),
            "-m",
            "pytest",
            *options,
            *(_files(only) or places or _places(source)),
        ]
        subprocess.run(command, check=False, cwd=source, env=environment, stdout=log, stderr=log)  # noqa: S603 - ours
    if not results.exists():
        raise SystemExit(f"the suite did not run: see {log.name}")
    outcomes: dict[str, list[str]] = json.loads(results.read_text(encoding="utf-8"))
    return outcomes


def _files(tests: set[str] | None) -> list[str]:
    return sorted({test.partition("::")[0] for test in tests or ()})


def _failed(chosen: set[str], wrapped: dict[str, list[str]]) -> set[str]:
    return {test for test in chosen if wrapped.get(test, ["lost", ""])[0] != "passed"}


def _listed() -> list[str]:
    lines = DIFFERENCES.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _in(test: str, names: list[str]) -> bool:
    """Whether ``test`` has one of these names: its own, without its parameters, or its file's."""
    return bool({test, test.partition("[")[0], test.partition("::")[0]} & set(names))


def _report(
    chosen: set[str],
    failed: set[str],
    wrapped: dict[str, list[str]],
    listed: list[str],
    *,
    whole: bool,
) -> int:
    new = sorted(test for test in failed if not _in(test, listed))
    run = [name for name in listed if any(_in(test, [name]) for test in chosen)]
    mended = [name for name in run if not any(_in(test, [name]) for test in failed)]
    for test in new:
        said = wrapped.get(test, ["", "it did not end"])[1].strip().splitlines()
        print(f"\nfails wrapped alone: {test}\n    {said[-1] if said else ''}")
    for name in mended if whole else ():
        print(f"\npasses now, take it from {DIFFERENCES.name}: {name}")
    counts = f"{len(failed)} of them fail wrapped, {len(new)} for no reason that is listed"
    print(f"\n{len(chosen)} tests pass bare; {counts}")
    return 1 if new or (whole and mended) else 0


if __name__ == "__main__":
    sys.exit(main())
