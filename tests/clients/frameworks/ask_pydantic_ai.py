"""pydantic-ai: an agent whose provider is given the client."""

from asking import MAX_TOKENS, QUESTION, Form, Program
from pydantic_ai import Agent
from pydantic_ai.exceptions import AgentRunError
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider

SETTINGS = {"max_tokens": MAX_TOKENS}


def _agent(client, model):
    return Agent(
        AnthropicModel(model, provider=AnthropicProvider(anthropic_client=client)),
        model_settings=SETTINGS,
    )


async def plain(client, model, shown):
    shown.append((await _agent(client, model).run(QUESTION)).output)


async def stream(client, model, shown):
    async with _agent(client, model).run_stream(QUESTION) as result:
        async for piece in result.stream_text(delta=True, debounce_by=None):
            shown.append(piece)


PROGRAM = Program(
    forms=(
        Form(name="plain", is_async=True, streams=False, ask=plain, tree=AgentRunError),
        Form(name="stream", is_async=True, streams=True, ask=stream, tree=AgentRunError),
    )
)
