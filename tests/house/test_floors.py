"""Imports go down the floors of the house, and never in a circle."""

import ast
from graphlib import CycleError, TopologicalSorter

import pytest
from house_sources import imports, modules, tree

PACKAGE = "failsoft"

# From the ground up. A room may use its own floor and those below it.
FLOORS = (
    {"errors", "forks"},
    {"classify"},
    {"attempt"},
    {"notices", "storage", "config"},
    {"policy"},
    {"providers", "dialects"},
    {"faults", "ladder", "request_log", "shared_state", "telemetry"},
    {"engine"},
    {"wrap", "standalone"},
    {PACKAGE},  # the public names
    {"server"},
    {"chaos"},
    {"testing"},
    {"cli", "failsoft_pytest"},  # pytest loads its plugin in every run: a package of its own
)


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def floor(module: str) -> int:
    for number, rooms in enumerate(FLOORS):
        if room(module) in rooms:
            return number
    pytest.fail(f"{module} is on no floor: give its room one")


def circle(graph: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_the_house_is_read():
    assert len(modules()) > 20
    assert "failsoft.errors" in imports("failsoft.config.settings")


def test_imports_go_down():
    assert [
        f"{module} imports {used}"
        for module in modules()
        for used in sorted(imports(module))
        if floor(used) > floor(module)
    ] == []


def test_no_modules_import_each_other_in_a_circle():
    assert circle({module: imports(module) for module in modules()}) == []


def test_no_rooms_import_each_other_in_a_circle():
    rooms: dict[str, set[str]] = {}
    for module in modules():
        used = {room(name) for name in imports(module)} - {room(module)}
        rooms.setdefault(room(module), set()).update(used)
    assert circle(rooms) == []


def test_imports_name_the_whole_way():
    assert [
        f"{path}:{node.lineno}"
        for path in modules().values()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and node.level
    ] == []
