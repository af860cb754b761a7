"""Scenarios: those that come with the package, and what is said of wrong ones."""

from __future__ import annotations

import pytest
from drill_kit import SMALL, result, scenario

from failsoft.chaos.drills import find_scenario, shipped_scenarios
from failsoft.chaos.drills.figures import FIGURES
from failsoft.chaos.drills.scenario_files import NAMES
from failsoft.errors import SettingError


def test_the_shipped_ones_can_be_read_and_are_named_as_their_files():
    assert [each.name for each in shipped_scenarios()] == list(NAMES)
    for each in shipped_scenarios():
        assert find_scenario(each.name) == each
        assert each.means
        assert each.recovers_at is not None
        assert each.trouble_at is not None
        assert each.trouble_at < each.recovers_at < each.load.seconds - 5
        bounded = {threshold.figure for threshold in each.thresholds}
        assert {"success_share", "full_share_at_end", "raw_errors", "bad_ends"} <= bounded


def test_the_three_of_make_drill_take_less_than_three_minutes():
    three = [find_scenario(name) for name in ("brownout", "total_outage", "hang")]
    assert sum(each.load.seconds for each in three) <= 120


def test_a_file_is_read_with_its_defaults(tmp_path):
    place = tmp_path / "mine.toml"
    place.write_text(SMALL)
    read = find_scenario(str(place))
    assert (read.name, read.load.at_once, read.load.questions) == ("small", 500, 60)
    assert (read.trouble_at, read.needs_proxy) == (1.0, False)
    assert [str(step) for step in read.steps] == ["*: 529", "*: healthy"]


def test_steps_are_put_in_order_and_named_where_they_are_not():
    mixed = SMALL + '[[step]]\nat = 0.5\nproxy = "cut;bytes=9"\n[[step]]\nat = 0\nservice = "kill"'
    mixed = mixed.replace("[thresholds]\nraw_errors = { at_most = 0 }\n", "")
    read = scenario(mixed)
    assert [step.label for step in read.steps] == [
        "service: kill", "network: cut;bytes=9", "down", "up"
    ]  # fmt: skip
    assert read.needs_proxy


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "small"', "", "small.toml: name: is missing; it must be 1 to 60 small letters"),
        ('"small"', '"Small one"', "small.toml: name: must be 1 to 60 small letters, digits, - an"),
        ("recovers_at = 2", "recover = 2", "small.toml: unknown key 'recover'; allowed are name,"),
        ("rate = 20", "", "small.toml: load: rate: is missing; it must be a number from 0.1 to"),
        ("rate = 20", "rate = nan", "small.toml: load: rate: must be a number from 0.1 to 1000; "),
        ("rate = 20", "pace = 1", "small.toml: load: unknown key 'pace'; allowed are rate, secon"),
        ("rate = 20", "rate = 1\nat_once = 0", "load: at_once: must be a whole number from 1 to "),
        ("streams = 0.5", "streams = 2", "load: streams: must be a number from 0 to 1; it is 2"),
        ("[load]", "[loads]", "small.toml: unknown key 'loads'; allowed are name, about, means,"),
        ("at = 1\n", "", "small.toml: step 1: at: is missing; it must be a number from 0 to 3600"),
        ('["529"]', '["529@2"]', "step 1: faults '529@2': the rate after @ must be a number from"),
        ('["529"]', '"529"', "step 1: faults: must be a list of faults; it is '529'"),
        ('faults = ["529"]', "", "small.toml: step 1: model and faults go together"),
        ('model = "*"\nfaults = []', 'model = "**"\nfaults = []', "step 2: model: * may only end"),
        ('model = "*"\nfaults = []', "", "step 2: must have exactly one of model (with faults),"),
        ('model = "*"\nfaults = []', 'proxy = "cutt"', "step 2: proxy: 'cutt' is no act: give one"),
        ('model = "*"\nfaults = []', 'service = "stop"', "service: must be kill or start; it is "),
        ("raw_errors", "rawness", "small.toml: thresholds: unknown key 'rawness'; allowed are re"),
        ("at_most = 0", "atmost = 0", "raw_errors: must be { at_least = NUMBER } or { at_most ="),
        ("at_most = 0", 'at_most = "0"', "{ at_most = NUMBER }; at_most is '0'"),
        ("[load]", "environment = {PATH = 'x'}\n[load]", "environment: must be a table of FAILSOF"),
    ],
)
def test_a_wrong_one_is_told_with_file_key_and_what_is_allowed(old, new, said):
    assert old in SMALL
    with pytest.raises(SettingError) as told:
        scenario(SMALL.replace(old, new, 1))
    assert said in str(told.value)
    assert str(told.value).startswith("small.toml: ")
    assert "\n" not in str(told.value)


def test_files_that_are_none_are_told(tmp_path):
    with pytest.raises(SettingError, match="no such file and no such drill: give a file or brow"):
        find_scenario("brown")
    place = tmp_path / "broken.toml"
    place.write_text("name = ")
    with pytest.raises(SettingError, match=r"broken\.toml: is no valid TOML: "):
        find_scenario(str(place))
    with pytest.raises(SettingError, match="cannot be read: Is a directory"):
        find_scenario(str(tmp_path))


def test_every_figure_that_may_be_bounded_is_measured():
    assert set(result([]).figures) == set(FIGURES)
