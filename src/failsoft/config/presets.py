"""The services that failsoft knows by name: how each is reached, and what it takes of a request.

Variables and addresses are those of the service's own SDK, read in its source: anthropic 2.15 (its
Bedrock and Vertex clients too), openai 3.57, google-genai 3.6, groq 1.7, mistralai 3.7, together
3.1, fireworks-ai 1.2, xai-sdk 1.21, ollama 0.6. Three differ from what is often copied: Together's
chat is on a host of its own, ``TOGETHER_BASE_URL`` and ``FIREWORKS_BASE_URL`` are without ``/v1``,
and ``OLLAMA_HOST`` may have no scheme and no port. Entra ID (``AZURE_OPENAI_AD_TOKEN``) is not
read. DeepSeek, OpenRouter and vLLM have no SDK that was read; theirs, and what differs between the
services that speak Chat Completions, are what their documentation said in November 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

__all__ = ["COMPATIBLE", "PRESETS", "Preset", "ProtocolName"]

ProtocolName = Literal["anthropic", "openai"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One service.

    ``keys``, ``addresses``, ``regions`` and ``projects`` are environment variables, of which the
    first that is set counts;
    ``address_path`` is added to an address from a variable, ``address_port`` to one without
    scheme and port. ``cloud`` services sign their
    requests with what their owner's library finds. The ``takes_…`` say what a request may have.
    """

    name: str
    protocol: ProtocolName
    base_url: str | None = None
    keys: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    address_path: str = ""
    address_port: int | None = None
    regions: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    key_header: Literal["authorization", "api-key"] = "authorization"
    needs_key: bool = True
    cloud: Literal["bedrock", "vertex"] | None = None
    max_tokens_field: Literal["max_completion_tokens", "max_tokens"] = "max_tokens"
    takes_images: bool = True
    takes_files: bool = False
    takes_json_schema: bool = True
    takes_parallel_tool_calls: bool = True
    takes_reasoning_effort: bool = False
    takes_user: bool = True
    takes_text_parts: bool = True
    takes_stream_options: bool = True
    nine_letter_tool_ids: bool = False
    signed_tool_calls: bool = False

    @property
    def refuses(self) -> tuple[str, ...]:
        """What makes a request unfit for it, besides what only Anthropic has."""
        if self.protocol == "anthropic":
            return ()
        taken = {
            "images": self.takes_images,
            "documents": self.takes_files,
            "schemas of output": self.takes_json_schema,
        }
        return tuple(name for name, takes in taken.items() if not takes)


COMPATIBLE: Final = Preset(name="compatible", protocol="openai", needs_key=False)
"""Assumed of a service of one's own that speaks Chat Completions."""

_SERVICES: Final = (
    Preset(
        name="anthropic",
        protocol="anthropic",
        base_url="https://api.anthropic.com",
        keys=("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
        addresses=("ANTHROPIC_BASE_URL",),
    ),
    Preset(
        name="bedrock",
        protocol="anthropic",
        keys=("AWS_BEARER_TOKEN_BEDROCK",),
        addresses=("ANTHROPIC_BEDROCK_BASE_URL",),
        regions=("AWS_REGION", "AWS_DEFAULT_REGION"),
        needs_key=False,
        cloud="bedrock",
    ),
    Preset(
        name="vertex",
        protocol="anthropic",
        addresses=("ANTHROPIC_VERTEX_BASE_URL",),
        regions=("CLOUD_ML_REGION",),
        projects=("ANTHROPIC_VERTEX_PROJECT_ID", "GOOGLE_CLOUD_PROJECT"),
        needs_key=False,
        cloud="vertex",
    ),
    Preset(
        name="openai",
        protocol="openai",
        base_url="https://api.openai.com/v1",
        keys=("OPENAI_API_KEY",),
        addresses=("OPENAI_BASE_URL",),
        max_tokens_field="max_completion_tokens",
        takes_files=True,
        takes_reasoning_effort=True,
    ),
    Preset(
        name="azure",
        protocol="openai",
        keys=("AZURE_OPENAI_API_KEY",),
        addresses=("AZURE_OPENAI_ENDPOINT",),
        address_path="/openai/v1",
        key_header="api-key",
        max_tokens_field="max_completion_tokens",
        takes_reasoning_effort=True,
    ),
    Preset(
        name="gemini",
        protocol="openai",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        keys=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        addresses=("GOOGLE_GEMINI_BASE_URL",),
        address_path="/v1beta/openai",
        takes_reasoning_effort=True,
        takes_user=False,
        signed_tool_calls=True,
    ),
    Preset(
        name="groq",
        protocol="openai",
        base_url="https://api.groq.com/openai/v1",
        keys=("GROQ_API_KEY",),
        addresses=("GROQ_BASE_URL",),
        address_path="/openai/v1",
        max_tokens_field="max_completion_tokens",
        takes_reasoning_effort=True,
    ),
    Preset(
        name="mistral",
        protocol="openai",
        base_url="https://api.mistral.ai/v1",
        keys=("MISTRAL_API_KEY",),
        nine_letter_tool_ids=True,
        takes_user=False,
        takes_stream_options=False,
    ),
    Preset(
        name="deepseek",
        protocol="openai",
        base_url="https://api.deepseek.com/v1",
        keys=("DEEPSEEK_API_KEY",),
        takes_text_parts=False,
        takes_images=False,
        takes_json_schema=False,
        takes_parallel_tool_calls=False,
        takes_user=False,
    ),
    Preset(
        name="xai",
        protocol="openai",
        base_url="https://api.x.ai/v1",
        keys=("XAI_API_KEY",),
        takes_reasoning_effort=True,
    ),
    Preset(
        name="openrouter",
        protocol="openai",
        base_url="https://openrouter.ai/api/v1",
        keys=("OPENROUTER_API_KEY",),
        takes_files=True,
        takes_reasoning_effort=True,
    ),
    Preset(
        name="together",
        protocol="openai",
        base_url="https://api-inference.together.ai/v1",
        keys=("TOGETHER_API_KEY",),
        addresses=("TOGETHER_BASE_URL",),
        address_path="/v1",
        takes_parallel_tool_calls=False,
        takes_user=False,
    ),
    Preset(
        name="fireworks",
        protocol="openai",
        base_url="https://api.fireworks.ai/inference/v1",
        keys=("FIREWORKS_API_KEY",),
        addresses=("FIREWORKS_BASE_URL",),
        address_path="/v1",
        takes_reasoning_effort=True,
    ),
    Preset(
        name="ollama",
        protocol="openai",
        base_url="http://127.0.0.1:11434/v1",
        keys=("OLLAMA_API_KEY",),
        addresses=("OLLAMA_HOST",),
        address_path="/v1",
        address_port=11434,
        needs_key=False,
        takes_parallel_tool_calls=False,
        takes_reasoning_effort=True,
        takes_user=False,
    ),
    Preset(
        name="vllm",
        protocol="openai",
        base_url="http://127.0.0.1:8000/v1",
        keys=("VLLM_API_KEY",),
        needs_key=False,
        takes_reasoning_effort=True,
    ),
)

PRESETS: Final[Mapping[str, Preset]] = MappingProxyType({one.name: one for one in _SERVICES})
"""Every service by its name."""
