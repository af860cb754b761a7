"""Whatever the file and the environment say: settings, or a SettingError in whole lines."""

import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from failsoft.config.loading import Loaded, load_settings
from failsoft.config.named_sections import NAMED
from failsoft.config.names import SECTIONS, known_settings
from failsoft.errors import SettingError

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x7f"), max_size=12)
VALID = ["1", "60", "0.5", "true", "dev", "full", "en", "anthropic/a", "a:b", "http://a"]
NEARLY = ["-1", "nan", "inf", "1e999", "9" * 5000, " ", "1_0", "٣", "a,,b", "http://[", "@"]
PLAUSIBLE = st.sampled_from([*VALID, *NEARLY])
KNOWN = list(known_settings())
VARIABLES = st.sampled_from([known.variable for known in KNOWN])
ENVIRON = st.dictionaries(
    VARIABLES | st.sampled_from(["ANTHROPIC_API_KEY", "FAILSOFT_CONFIG"]) | TEXT,
    PLAUSIBLE | st.text(max_size=20),
    max_size=6,
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | PLAUSIBLE | TEXT
TOML_SCALARS = SCALARS.filter(lambda value: value is not None)
VALUES = st.recursive(
    TOML_SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from([known.place[-1] for known in KNOWN] + [*SECTIONS, *NAMED]) | TEXT
TABLES = st.dictionaries(
    NAMES | st.sampled_from(["anthropic/a", "limit_group", "allowed_models"]),
    VALUES | st.dictionaries(NAMES, VALUES, max_size=4),
    max_size=5,
)


def as_toml(value: object) -> str:
    match value:
        case dict():
            pairs = (f"{as_toml(key)} = {as_toml(inner)}" for key, inner in value.items())
            return "{" + ", ".join(pairs) + "}"
        case list():
            return "[" + ", ".join(map(as_toml, value)) + "]"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def load(content: bytes, environ: dict[str, str], overrides: dict[str, object]) -> Loaded | None:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "failsoft.toml")
        config.write_bytes(content)
        try:
            return load_settings(config, environ=environ, overrides=overrides)
        except SettingError as error:
            told = error
    lines = str(told).splitlines()
    assert len(lines) == len(told.problems)
    assert all(line.isprintable() and ": " in line for line in lines)
    return None


@given(table=TABLES, environ=ENVIRON)
def test_any_file_and_environment_load_or_are_refused(table, environ):
    content = "\n".join(f"{as_toml(key)} = {as_toml(value)}" for key, value in table.items())
    loaded = load(content.encode(), environ, {})
    if loaded:
        assert all(line.isprintable() for line in loaded.warnings)


@given(content=st.binary(max_size=40) | TEXT.map(str.encode))
def test_any_bytes_as_a_file_load_or_are_refused(content):
    load(content, {}, {})


@given(overrides=st.dictionaries(st.sampled_from([k.name for k in KNOWN]) | TEXT, SCALARS))
def test_any_arguments_load_or_are_refused(overrides):
    load(b"", {}, overrides)


@given(known=st.sampled_from([known for known in KNOWN if known.spec.secret]), tail=TEXT)
def test_a_secret_is_never_told(known, tail):
    problem = ""
    try:
        loaded = load_settings(environ={known.variable: f"planted-{tail}"})
    except SettingError as error:
        problem = repr(error)
    else:
        assert "planted" not in repr(loaded)
    assert "planted" not in problem
