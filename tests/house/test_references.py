"""What a docstring refers to exists: modules move, and text does not fail by itself."""

import re
from pkgutil import resolve_name

from house_sources import modules

REFERENCE = re.compile(r":\w+:`~?(failsoft(?:\.\w+)+)`")


def exists(name: str) -> bool:
    try:
        resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


def test_docstrings_refer_to_what_exists():
    found = [
        (module, name)
        for module, path in modules().items()
        for name in REFERENCE.findall(path.read_text(encoding="utf-8"))
    ]
    assert len(found) > 50
    assert [(module, name) for module, name in found if not exists(name)] == []
