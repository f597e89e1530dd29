"""The chat models of Workers AI, and what is said to some of them besides the messages.

This runs inside Workers too, so it imports the standard library alone.
"""

from collections.abc import Mapping
from typing import Any

DEFAULT_MODEL = "@cf/zai-org/glm-4.7-flash"
TIMEOUT_SECONDS = 120.0

CONTEXT_TOKENS: Mapping[str, int] = {
    DEFAULT_MODEL: 131_072,
    "@cf/google/gemma-4-26b-a4b-it": 256_000,
    "@cf/qwen/qwen3-30b-a3b-fp8": 32_768,
    "@cf/meta/llama-3.3-70b-instruct-fp8-fast": 24_000,
    "@cf/openai/gpt-oss-20b": 128_000,
    "@cf/openai/gpt-oss-120b": 128_000,
}
"""How many tokens a model reads and writes together.

Source: https://developers.cloudflare.com/workers-ai/models/ (`context_window`, 2026-10).
"""

UNKNOWN_CONTEXT_TOKENS = 8192
"""What is taken for granted of a model that is not in the table."""

WITHOUT_THINKING: Mapping[str, Mapping[str, Any]] = {
    DEFAULT_MODEL: {"chat_template_kwargs": {"enable_thinking": False}}
}
"""What keeps a model that thinks by default from it: an answer from a few notes needs no thought
that would use up its tokens first. Only for models whose schema has it; others refuse the request.

Source: https://developers.cloudflare.com/workers-ai/models/glm-4.7-flash/ (2026-10).
"""
