"""What is declared is used: every setting is read somewhere, every verdict is reached."""

import dataclasses
import re
from functools import cache

import pytest
from scripts.house import modules

from failsoft.classify import REASONS
from failsoft.config import settings

# Read all together, field by field.
BY_FIELD = {"TargetSettings", "LinkSettings"}


@cache
def sources(*, but: str) -> str:
    return "\n".join(
        path.read_text(encoding="utf-8") for name, path in modules().items() if but not in name
    )


def declared():
    sections = [kind for kind in vars(settings).values() if isinstance(kind, type)]
    for kind in filter(dataclasses.is_dataclass, sections):
        if kind.__name__ not in BY_FIELD:
            yield from ((kind.__name__, field.name) for field in dataclasses.fields(kind))


@pytest.mark.parametrize(("section", "name"), sorted(set(declared())))
def test_every_setting_is_read(section, name):
    where = sources(but="config.fields")
    assert re.search(rf"\.{name}\b", where), f"{section}.{name} is read nowhere"


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_every_row_of_the_truth_table_is_reached(reason):
    assert f'"{reason}"' in sources(but="truth_table"), "no rule and no reply leads to it"
