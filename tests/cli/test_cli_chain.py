"""``failsoft config check`` prints the chain: each target, and what it cannot take."""

from __future__ import annotations

import re

import pytest
from cli_command import Ended, run

SUPPORT = {"FAILSOFT_LINKS_SUPPORT": "mailto:help@example.com"}
COLUMNS = ("address", "key from", "window", "price", "cannot take")
OF_ANTHROPIC = "server tools, MCP, containers, citations, prefill"
TWO = {
    "FAILSOFT_CHAIN": "anthropic/claude-opus-5-5,openai/gpt-5.5",
    "ANTHROPIC_API_KEY": "sk-ant-planted",
    "OPENAI_API_KEY": "sk-oai-planted",
}


def rows(ended: Ended) -> dict[str, dict[str, str]]:
    """The table by target, its cells by column."""
    head, *lines = ended.out.splitlines()
    starts = [head.index(column) for column in COLUMNS]
    ends = [*starts[1:], None]
    found = (line for line in lines if re.match(r"[\w.-]+/", line))
    return {
        line.split()[0]: {
            column: line[start:end].strip()
            for column, start, end in zip(COLUMNS, starts, ends, strict=True)
        }
        for line in found
    }


def test_each_target_has_a_row(invoke):
    ended = invoke("config", "check", **SUPPORT, **TWO)
    assert rows(ended) == {
        "anthropic/claude-opus-5-5": {
            "address": "https://api.anthropic.com",
            "key from": "ANTHROPIC_API_KEY",
            "window": "1,000,000",
            "price": "known",
            "cannot take": "prefill",
        },
        "openai/gpt-5.5": {
            "address": "https://api.openai.com/v1",
            "key from": "OPENAI_API_KEY",
            "window": "not known",
            "price": "not known",
            "cannot take": OF_ANTHROPIC,
        },
    }
    assert (ended.code, ended.err) == (0, "")
    assert "are fine" in ended.out
    assert "planted" not in ended.out


def test_what_the_settings_say_of_a_target_is_known(invoke, tmp_path):
    (tmp_path / "failsoft.toml").write_text(
        '[targets."openai/gpt-5.5"]\ncontext_window = 400000\n'
        "input_usd_per_million = 1.0\noutput_usd_per_million = 8.0\n"
    )
    row = rows(invoke("config", "check", **SUPPORT, **TWO))["openai/gpt-5.5"]
    assert (row["window"], row["price"]) == ("400,000", "known")


async def test_a_target_without_a_key_is_left_out_with_one_line(tmp_path):
    environ = {**SUPPORT, **TWO, "FAILSOFT_CHAIN": f"{TWO['FAILSOFT_CHAIN']},groq/llama-4"}
    ended = await run("config", "check", cwd=tmp_path, environ=environ)
    (line,) = ended.err.splitlines()
    assert line == (
        "groq/llama-4 is left out of the chain: no API key of groq is set: set GROQ_API_KEY"
    )
    assert rows(ended)["groq/llama-4"]["key from"] == "missing: left out"
    assert "hold, but see above" in ended.out
    assert ended.code == 0


def test_a_name_of_ones_own_has_its_row(invoke, tmp_path):
    (tmp_path / "failsoft.toml").write_text(
        'chain = ["mine/llama-4", "eu/claude-opus-5-5"]\n'
        '[providers.mine]\nprotocol = "openai"\nbase_url = "http://127.0.0.1:9/v1"\n'
        '[providers.eu]\npreset = "anthropic"\napi_key_env = "EU_KEY"\n'
        'base_url = "https://eu.example"\n'
    )
    ended = invoke("config", "check", EU_KEY="sk-planted", **SUPPORT)
    found = rows(ended)
    assert found["mine/llama-4"]["address"] == "http://127.0.0.1:9/v1"
    assert found["mine/llama-4"]["key from"] == "none needed"
    assert found["mine/llama-4"]["cannot take"] == f"{OF_ANTHROPIC}, documents"
    assert found["eu/claude-opus-5-5"]["address"] == "https://eu.example"
    assert found["eu/claude-opus-5-5"]["key from"] == "EU_KEY"
    assert found["eu/claude-opus-5-5"]["window"] == "1,000,000"
    assert (ended.code, ended.err) == (0, "")


def test_a_preset_says_what_it_cannot_take(invoke):
    environ = {"FAILSOFT_CHAIN": "deepseek/deepseek-chat", "DEEPSEEK_API_KEY": "k"}
    (row,) = rows(invoke("config", "check", **SUPPORT, **environ)).values()
    assert row["cannot take"] == f"{OF_ANTHROPIC}, images, documents, schemas of output"


def test_a_cloud_takes_its_credentials_where_its_own_tools_do(invoke):
    environ = {
        "FAILSOFT_CHAIN": "bedrock/anthropic.claude-opus-5-5-v1:0,vertex/claude-opus-5-5",
        "AWS_REGION": "eu-west-1",
        "CLOUD_ML_REGION": "us-east5",
    }
    found = rows(invoke("config", "check", **SUPPORT, **environ))
    bedrock, vertex = found.values()
    assert bedrock["address"] == "https://bedrock-runtime.eu-west-1.amazonaws.com"
    assert (bedrock["key from"], vertex["key from"]) == (
        "as AWS tools find it",
        "as Google's tools find it",
    )
    assert {row["window"] for row in found.values()} == {"1,000,000"}
    shown = rows(invoke("config", "check", AWS_BEARER_TOKEN_BEDROCK="k", **SUPPORT, **environ))
    assert next(iter(shown.values()))["key from"] == "AWS_BEARER_TOKEN_BEDROCK"


def test_a_chain_that_has_no_key_at_all_fails(invoke):
    ended = invoke("config", "check", FAILSOFT_CHAIN="openai/gpt-5.5,groq/llama-4", **SUPPORT)
    (line,) = ended.err.splitlines()
    assert line.endswith("every question will fail until OPENAI_API_KEY or GROQ_API_KEY is set")
    assert {row["key from"] for row in rows(ended).values()} == {"missing: left out"}
    assert ended.code == 1


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        (
            {"FAILSOFT_CHAIN": "bedrock/anthropic.claude-opus-5-5-v1:0"},
            "providers.bedrock.region: must be set, here or as AWS_REGION or AWS_DEFAULT_REGION",
        ),
        (
            {"FAILSOFT_CHAIN": "azure/gpt-5.5", "AZURE_OPENAI_API_KEY": "k"},
            "providers.azure.base_url: must be set, here or as AZURE_OPENAI_ENDPOINT",
        ),
        (
            {"FAILSOFT_CHAIN": "gemini/m", "GOOGLE_API_KEY": "a", "GEMINI_API_KEY": "b"},
            "providers.gemini.api_key: has several keys: set one of GOOGLE_API_KEY, GEMINI_API_KEY",
        ),
        (
            {"FAILSOFT_CHAIN": "opnai/gpt-5.5"},
            "chain: entry 1 must name a known provider (anthropic, azure, bedrock, ",
        ),
    ],
    ids=["region", "address", "two keys", "preset"],
)
def test_what_is_wrong_is_one_line(invoke, environ, line):
    ended = invoke("config", "check", **environ)
    (said,) = ended.err.splitlines()
    assert said.startswith(f"failsoft: {line}")
    assert (ended.code, ended.out) == (2, "")
