"""litellm's Router: a group for each model, two retries, then the fallbacks in order."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

# Before the import: the price list that comes with the package, in place of one from the network.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm  # type: ignore[import-not-found]  # in an environment of its own
from litellm import Router

from benchmarks.peers.contestants import KEY, LIMIT_SECONDS, MAX_TOKENS, MODELS

litellm.suppress_debug_info = True  # no advice on standard output


class LitellmRouter:
    """The router."""

    def __init__(self, url: str) -> None:
        self._router = Router(
            model_list=[
                {
                    "model_name": model,
                    "litellm_params": {
                        "model": f"anthropic/{model}",
                        "api_key": KEY,
                        "api_base": url,
                    },
                }
                for model in MODELS
            ],
            num_retries=2,
            fallbacks=[{MODELS[0]: list(MODELS[1:])}],
            timeout=LIMIT_SECONDS,
        )

    async def ask(self, question: str) -> str:
        reply: Any = await self._router.acompletion(
            model=MODELS[0], max_tokens=MAX_TOKENS, messages=_asked(question)
        )
        return str(reply.choices[0].message.content)

    async def stream(self, question: str) -> AsyncIterator[str]:
        reply: Any = await self._router.acompletion(
            model=MODELS[0], max_tokens=MAX_TOKENS, messages=_asked(question), stream=True
        )
        async for chunk in reply:
            yield chunk.choices[0].delta.content or ""


def _asked(question: str) -> list[Any]:
    return [{"role": "user", "content": question}]


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[LitellmRouter]:
    yield LitellmRouter(url)
