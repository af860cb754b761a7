"""What is wrong with a command is one clear line on standard error, and exit code 2."""

from __future__ import annotations

import asyncio
import socket
from asyncio.subprocess import PIPE
from importlib import import_module
from pathlib import Path

import pytest
from cli_command import FAILSOFT, environment

DOCS = Path(__file__).parents[2] / "docs"
KEY = {"ANTHROPIC_API_KEY": "sk-ant-secret"}


def one_line(err: str) -> str:
    assert "Traceback" not in err
    lines = err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("failsoft: ")
    return lines[0].removeprefix("failsoft: ")


def test_help_names_every_command(invoke):
    ended = invoke("--help")
    assert ended.code == 0
    for command in ("serve", "simulator", "ask", "demo", "config", "notices"):
        assert f" {command} " in ended.out
    assert (invoke()).out == ended.out


@pytest.mark.parametrize("command", ["ask", "serve", "simulator", "demo"])
def test_help_names_no_provider_where_any_is_meant(command, invoke):
    assert "anthropic" not in invoke(command, "--help").out.lower()


def test_version(invoke):
    ended = invoke("--version")
    assert (ended.code, ended.out) == (0, "failsoft 0.1.0\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("sreve",), "No such command 'sreve'"),
        (("ask",), "Missing argument"),
        (("ask", "hi", "--modle", "x"), "--modle"),
        (("serve", "--port", "many"), "--port"),
        (("ask", "hi"), "no API key: set ANTHROPIC_API_KEY, or run 'failsoft demo'"),
        (("ask", "  "), "the question is empty"),
        (("ask", "-"), "the question is empty"),
        (("serve", "--port", "70000"), "server.port"),
        (("serve", "--host", "0.0.0.0"), "--insecure"),
        (("config", "check", "--config", "none.toml"), "none.toml"),
        (("demo", "--config", "none.toml"), "none.toml"),
        (("simulator", "--script", "none.toml"), "none.toml"),
        (("token",), "no key to sign with: set FAILSOFT_SIMULATE_TOKEN_KEY to the one that the"),
        (("simulator", "--fault", "529"), "must be MODEL=FAULT"),
        (("simulator", "--upstream", "nowhere"), "--upstream"),
        (("simulator", "--port", "0", "--host", "192.0.2.1"), "192.0.2.1:0 is not an address of"),
        (("notices", "check", "--dir", "none"), "none"),
        (("notices", "review", "--locale", "tlh"), "there are no notices in 'tlh'"),
    ],
    ids=" ".join,
)
def test_wrong_use_is_one_line(arguments, says, invoke):
    environ = KEY if arguments[0] == "serve" else {}
    ended = invoke(*arguments, **environ)
    assert says in one_line(ended.err)
    assert (ended.code, ended.out) == (2, "")


@pytest.mark.parametrize("command", ["serve", "simulator", "demo"])
def test_a_port_in_use_is_named(command, invoke):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environ = KEY if command == "serve" else {}
        ended = invoke(command, "--port", str(port), **environ)
    said = one_line(ended.err)
    assert str(port) in said
    assert "--port" in said
    assert (ended.code, ended.out) == (2, "")


def test_every_problem_of_the_settings_has_its_line(invoke, tmp_path):
    """The example of docs/configuration.md."""
    (tmp_path / "failsoft.toml").write_text("[server]\nport = 'http'\n[breaker]\ntrip = 9\n")
    environ = {"FAILSOFT_DEDLINE": "3", "FAILSOFT_DEADLINE_SECONDS": "abc"}
    ended = invoke("config", "check", **KEY, **environ)
    assert ended.code == 2
    assert [line.split(": ")[:2] for line in ended.err.splitlines()] == [
        ["failsoft", "FAILSOFT_DEDLINE"],
        ["failsoft", "server.port"],
        ["failsoft", "breaker.trip"],
        ["failsoft", "deadline_seconds"],
    ]
    assert ended.err in (DOCS / "configuration.md").read_text()


def test_a_route_that_is_left_with_no_model_is_one_line(invoke, tmp_path):
    (tmp_path / "failsoft.toml").write_text("[routes.support]\nallowed_models = ['gpt-5']\n")
    ended = invoke("config", "check", **KEY)
    assert ended.code == 2
    told = "routes.support.allowed_models: must name at least one model of the chain"
    assert one_line(ended.err).startswith(told)


def test_what_fails_although_the_settings_hold_is_told(invoke, tmp_path):
    (tmp_path / "taken").write_text("")
    (tmp_path / "failsoft.toml").write_text("data_dir = 'taken/data'\n")
    ended = invoke("config", "check")
    assert ended.code == 1
    folder, key, support = ended.err.splitlines()
    assert "data_dir: " in folder
    assert "is no folder" in folder
    assert "ANTHROPIC_API_KEY" in key
    assert "links.support: " in support
    assert "hold, but see above" in ended.out


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        (KEY | {"FAILSOFT_DEADLINE_SECOND": "3"}, "did you mean FAILSOFT_DEADLINE_SECONDS?"),
        (KEY | {"ANTHROPIC_BASEURL": "http://h"}, "did you mean ANTHROPIC_BASE_URL?"),
        (KEY | {"ANTHROPIC_MODEL": "claude-opus-5-5"}, ""),
        (KEY, ""),
    ],
    ids=["ours", "sdk", "foreign", "none"],
)
def test_a_misspelt_variable_is_not_fine(invoke, environ, told):
    ended = invoke("config", "check", FAILSOFT_LINKS_SUPPORT="mailto:help@example.com", **environ)
    assert ended.code == 0
    assert ended.err == "" if not told else told in one_line(ended.err)
    assert ("hold, but see above" if told else "are fine") in ended.out


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/messages"])
def test_an_address_that_is_too_long_is_named(invoke, path):
    ended = invoke("config", "check", ANTHROPIC_BASE_URL=f"http://h{path}", **KEY)
    assert (ended.code, ended.out) == (2, "")
    assert "ANTHROPIC_BASE_URL" in one_line(ended.err)


def test_settings_that_hold_and_where_they_are_from(invoke, tmp_path):
    (tmp_path / "failsoft.toml").write_text("deadline_seconds = 42\n")
    environ = KEY | {"FAILSOFT_LOCALE": "en", "FAILSOFT_NO_SUCH": "1"}
    ended = invoke("config", "check", **environ)
    assert ended.code == 0
    assert "3 of them from ANTHROPIC_API_KEY, FAILSOFT_LOCALE, failsoft.toml" in ended.out
    assert "FAILSOFT_NO_SUCH" in ended.err

    ended = invoke("config", "show", **environ)
    shown = {line.split()[0]: line.split()[1:] for line in ended.out.splitlines()}
    assert shown["deadline_seconds"] == ["42", "failsoft.toml"]
    assert shown["server.port"] == ["8787", "default"]
    assert "sk-ant-secret" not in ended.out
    assert "Failsoft.health()" in ended.err, "what is learned is in the process that learned it"
    assert shown["anthropic.api_key"][-1] == "ANTHROPIC_API_KEY"


def test_notices_that_break_the_rules_are_listed(invoke, tmp_path):
    folder = tmp_path / "words"
    folder.mkdir()
    (folder / "en.toml").write_text('[notices.transient.given_up]\ntitle = "Error 529"\n')
    ended = invoke("notices", "check", "--dir", "words")
    assert ended.code == 1
    assert "transient.given_up.title" in ended.out
    ended = invoke("notices", "check")
    assert (ended.code, ended.err) == (0, "")


def test_notices_to_read_aloud(invoke):
    ended = invoke("notices", "review")
    assert ended.code == 0
    assert "## transient.given_up" in ended.out
    assert "- [ ] What do you do now?" in ended.out


async def test_a_reader_that_has_enough_is_no_trouble(tmp_path):
    command = f'"{FAILSOFT}" notices review | head -n 1'
    process = await asyncio.create_subprocess_shell(
        command, stdout=PIPE, stderr=PIPE, env=environment(), cwd=tmp_path
    )
    out, err = await process.communicate()
    assert out.startswith(b"# Notices")
    assert err == b""


def test_a_bug_is_one_line_too(monkeypatch, capsys):
    def broken():
        raise RuntimeError("two\x1b[2J\nlines")

    module = import_module("failsoft.cli.main")  # the package has a function of that name
    monkeypatch.setattr(module, "application", broken)
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == 1
    said = one_line(capsys.readouterr().err)
    assert "this is a bug of failsoft" in said
    assert "\x1b" not in said
