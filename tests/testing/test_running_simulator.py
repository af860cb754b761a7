"""The simulator answers whoever asks, with or without a loop of their own."""

import os
import urllib.request

import pytest
from anthropic import Anthropic, InternalServerError
from openai import OpenAI

from failsoft import Failsoft
from failsoft.testing import RunningSimulator


def test_a_client_that_reads_the_environment_calls_it(simulator):
    with Anthropic(max_retries=0) as client:
        client.messages.create(
            model="claude-haiku-5-5", max_tokens=9, messages=[{"role": "user", "content": "?"}]
        )
    assert [request.model for request in simulator.requests] == ["claude-haiku-5-5"]


def test_openais_client_does_too(simulator):
    with OpenAI(max_retries=0) as client:
        question = {"role": "user", "content": "?"}
        client.chat.completions.create(model="gpt-5.5", messages=[question])
    assert [request.model for request in simulator.requests] == ["gpt-5.5"]


async def test_so_does_failsoft(simulator, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    simulator.set("claude-opus-5-5", faults=["529"])
    async with Failsoft() as ai:
        answer = await ai.ask("?")
    assert answer.target == "anthropic/claude-sonnet-5-5"
    assert [request.status for request in simulator.requests] == [529, 200]


def test_a_blocking_call_in_a_test_does_not_stop_it(simulator):
    simulator.set("*", faults=["529"])
    with Anthropic(max_retries=1) as client, pytest.raises(InternalServerError):
        client.messages.create(
            model="claude-haiku-5-5", max_tokens=9, messages=[{"role": "user", "content": "?"}]
        )
    assert len(simulator.requests) == 2


def test_it_is_gone_afterwards():
    with RunningSimulator(faults=["*=529"]) as simulator:
        url = simulator.url
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url, timeout=5)  # noqa: S310 - our own address


def test_variables_are_named_as_both_read_them(simulator):
    names = {name for name, value in simulator.environment.items() if simulator.url in value}
    assert names == {"ANTHROPIC_BASE_URL", "FAILSOFT_ANTHROPIC_BASE_URL", "OPENAI_BASE_URL"}
    assert os.environ["ANTHROPIC_BASE_URL"] == simulator.url
