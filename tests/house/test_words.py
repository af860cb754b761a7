"""What every file keeps to: size, names, and nothing of the machine it was written on."""

import ast
import re
from pathlib import Path

import pytest
from house_sources import ROOT, modules, tree
from scripts import house

LONGEST_FUNCTION = 40
SHAPELESS = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}

KINDS = {
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".in",
    ".sh",
    ".lua",
    ".cfg",
    ".js",
    ".html",
    ".css",
    ".yaml",
    ".yml",
    "",
}
FOLDERS = (
    "src",
    "tests",
    "docs",
    "examples",
    "benchmarks",
    "scripts",
    "requirements",
    "deploy",
    ".ci",
    ".github",
    "web",
)
TEXTS = [path for path in ROOT.iterdir() if path.is_file() and path.suffix in KINDS] + [
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*")
    if path.is_file()
    and path.suffix in KINDS
    and not any(
        part.startswith((".hypothesis", "__pycache__", "node_modules")) for part in path.parts
    )
]
ABROAD = {
    "a registry's host": re.compile(r"\b(?:pypi|pythonhosted|npmjs|debian)\.(?:org|com)\b"),
    "a path of a machine": re.compile(r"(?<![\w.~-])/(?:root|work|home/\w+|Users/\w+)/"),
}


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("what", ABROAD)
def test_nothing_of_another_place_is_in_a_text(what):
    found = []
    for path in TEXTS:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        found += [
            f"{shown(path)}:{number}"
            for number, line in enumerate(lines, 1)
            if ABROAD[what].search(line)
        ]
    assert found == []


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=shown)
def test_pins_name_no_address_to_fetch_from(path):
    text = path.read_text(encoding="utf-8")
    assert "==" in text
    assert "://" not in text
    assert "index-url" not in text


def test_modules_are_short():
    sizes = house.module_lines()
    assert {name: size for name, size in sizes.items() if size > house.LONGEST_MODULE} == {}


def test_functions_are_short():
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    sizes = {
        f"{shown(path)}:{node.lineno} {node.name}": length(node)
        for path in modules().values()
        for node in ast.walk(tree(path))
        if isinstance(node, kinds)
    }
    assert {name: size for name, size in sizes.items() if size > LONGEST_FUNCTION} == {}


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    first = function.body[0]
    is_doc = ast.get_docstring(function, clean=False) is not None
    doc = (first.end_lineno or 0) - first.lineno + 1 if is_doc else 0
    return (function.end_lineno or 0) - function.lineno + 1 - doc


def test_every_module_says_what_it_is():
    docs = {shown(path): ast.get_docstring(tree(path)) or "" for path in modules().values()}
    assert [name for name, doc in docs.items() if len(doc.split()) < 2] == []


def test_every_module_says_what_it_offers():
    assert [shown(path) for path in modules().values() if not has_all(tree(path))] == []


def has_all(module: ast.Module) -> bool:
    for node in module.body:
        match node:
            case ast.Assign(targets=[ast.Name("__all__")]) | ast.AnnAssign(ast.Name("__all__")):
                return True
    return False


def test_modules_are_named_for_what_they_are():
    assert [name for name in modules() if SHAPELESS & set(name.split("."))] == []


LOWER = "this many are allowed in scripts/house.py; where there are fewer, lower it"


def test_no_more_file_names_are_shared():
    assert len(shared := house.shared_stems()) == house.SHARED_STEMS_ALLOWED, (LOWER, shared)


def test_no_more_public_class_names_are_shared():
    assert len(shared := house.shared_classes()) == house.SHARED_CLASSES_ALLOWED, (LOWER, shared)


@pytest.mark.parametrize("word", house.STYLE_WORDS)
def test_no_more_words_that_the_style_sheet_bans(word):
    places = house.style_words()[word]
    assert len(places) == house.STYLE_WORDS_ALLOWED[word], (LOWER, places)
