"""Which way a language is written."""

from __future__ import annotations

from typing import Literal

__all__ = ["direction"]

# Languages written mostly from right to left (CLDR, likely subtags), and the scripts themselves,
# which a tag may name: az-Arab is, ur-Latn is not.
_LANGUAGES = frozenset(
    ("ar", "arc", "ckb", "dv", "fa", "he", "iw", "ks", "nqo", "ps", "sd", "syr", "ug", "ur", "yi")
)
_SCRIPTS = frozenset(("adlm", "arab", "hebr", "mand", "nkoo", "rohg", "syrc", "thaa"))
_SCRIPT_LETTERS = 4


def direction(locale: str) -> Literal["ltr", "rtl"]:
    """The value of HTML's ``dir`` for a language tag, such as ``ar-EG``: ``ltr`` or ``rtl``."""
    language, *rest = locale.lower().replace("_", "-").split("-")
    script = next((each for each in rest if len(each) == _SCRIPT_LETTERS and each.isalpha()), None)
    rtl = script in _SCRIPTS if script else language in _LANGUAGES
    return "rtl" if rtl else "ltr"
