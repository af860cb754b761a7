"""Scripts: what a time line may say, and what a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from failsoft.chaos.simulator.script import load_script
from failsoft.errors import SettingError


def test_steps_come_in_order_of_time(tmp_path: Path) -> None:
    path = tmp_path / "tuesday.toml"
    path.write_text(
        '[[step]]\nat = 60.5\nmodel = "*"\nfaults = []\n'
        '[[step]]\nat = 0\nmodel = "m"\nfaults = ["529@0.2", "hang"]\n'
    )
    steps = load_script(path)
    assert [(step.at, step.model, len(step.faults)) for step in steps] == [
        (0, "m", 2),
        (60.5, "*", 0),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[step]\n", "is no valid TOML"),
        ("seed = 1\n", "unknown key 'seed'; allowed are step"),
        ("step = 1\n", "step: must be tables, each headed [[step]]"),
        ('[[step]]\nat = 0\nmodel = "m"\n', "step 1: faults is missing"),
        ('[[step]]\nat = -1\nmodel = "m"\nfaults = []\n', "step 1: at: must be seconds, 0 or more"),
        ('[[step]]\nat = true\nmodel = "m"\nfaults = []\n', "step 1: at: must be seconds"),
        ('[[step]]\nat = nan\nmodel = "m"\nfaults = []\n', "step 1: at: must be seconds"),
        ('[[step]]\nat = 0\nmodel = ""\nfaults = []\n', "step 1: model: must be a model's name"),
        ('[[step]]\nat = 0\nmodel = "**"\nfaults = []\n', "step 1: model: * may only end a model"),
        (
            '[[step]]\nat = 0\nmodel = "m"\nfault = []\n',
            "unknown key 'fault'; allowed are at, model",
        ),
        (
            '[[step]]\nat = 0\nmodel = "m"\nfaults = "529"\n',
            'step 1: faults: must be a list of faults, for example ["529@0.2"]',
        ),
        (
            2 * '[[step]]\nat = 0\nmodel = "m"\nfaults = ["5290"]\n',
            "step 1: faults '5290': '5290' is no fault",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "script.toml"
    path.write_text(text)
    with pytest.raises(SettingError) as caught:
        load_script(path)
    assert told in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"gone\.toml: cannot be read: No such file"):
        load_script(tmp_path / "gone.toml")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingError, match=r"binary\.toml: is no valid TOML"):
        load_script(binary)
