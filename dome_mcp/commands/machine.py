"""The part of a check-up that looks at this machine and not at the data."""

import json
import os
import re
import stat
from pathlib import Path

import anyio

from dome_mcp.app import Converter
from dome_mcp.backends.embedded.models import CARRIED_FOLDER
from dome_mcp.core.errors import DomeError
from dome_mcp.core.identifiers import content_hash
from dome_mcp.core.model import Turn
from dome_mcp.core.ports import Embedder, LanguageModel, Reranker
from dome_mcp.services.integrity import Finding
from dome_mcp.settings import Settings

_MANIFEST = "manifest.json"
_SHORT_ANSWER_TOKENS = 256
"""Enough for models that think before they speak."""
_PAGE = b"<!doctype html><title>Check</title><p>Can this be read?</p>"
_FIXED = {(3, 44): 6, (3, 50): 7}
"""Releases that got the fix of 3.51.3 later, and the patch that brought it."""


def check_settings(settings: Settings) -> list[Finding]:
    """Whether what the settings name is there."""
    findings = [Finding("settings", "warning", warning) for warning in settings.warnings]
    if not findings:
        findings.append(Finding("settings", "ok", "in order"))
    findings.append(check_folder(settings.home))
    missing = [str(root) for root in settings.allowed_roots if not root.is_dir()]
    if missing:
        findings.append(
            Finding(
                "allowed roots",
                "warning",
                f"not there: {', '.join(missing)}",
                "Make the folder, or change DOME_ALLOWED_ROOTS.",
            )
        )
    else:
        roots = ", ".join(str(root) for root in settings.allowed_roots)
        findings.append(Finding("allowed roots", "ok", roots or "none"))
    origin = settings.origins.get("timezone", "default")
    findings.append(Finding("time zone", "ok", f"{settings.timezone.key}, from {origin}"))
    return findings


def check_folder(home: Path) -> Finding:
    """Whether the data folder can be written, and by its owner alone."""
    if not home.exists():
        return Finding("data folder", "ok", f"{home} is not there yet; it is made when needed")
    if not home.is_dir() or not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        return Finding(
            "data folder",
            "problem",
            f"{home} cannot be read and written",
            "Set DOME_HOME to a folder of your own, or change its permissions.",
        )
    if os.name != "nt" and stat.S_IMODE(home.stat().st_mode) & 0o077:
        return Finding(
            "data folder",
            "warning",
            f"{home} can be read by others on this machine",
            f"Run: chmod 700 {home}",
        )
    return Finding("data folder", "ok", str(home))


def check_sqlite(version: str) -> Finding:
    """Whether this SQLite is one that may damage a file which several processes write.

    Source: https://sqlite.org/wal.html#walresetbug (2026-03): 3.7.0 to 3.51.2, fixed in 3.51.3
    and later in 3.50.7 and 3.44.6.
    """
    major, minor, patch = (int(part) for part in re.findall(r"\d+", version)[:3])
    is_fixed = patch >= _FIXED.get((major, minor), 1_000)
    if (3, 7, 0) <= (major, minor, patch) < (3, 51, 3) and not is_fixed:
        return Finding(
            "SQLite",
            "warning",
            f"{version} can damage a file that several processes write",
            "Update apsw: pip install --upgrade apsw",
        )
    return Finding("SQLite", "ok", version)


def check_carried_model(folder: Path = CARRIED_FOLDER) -> Finding:
    """Whether the model that comes with DOME is as it was built."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        changed = [
            name
            for name, digest in manifest["files"].items()
            if content_hash((folder / name).read_bytes()) != digest
        ]
    except (OSError, ValueError, KeyError) as error:
        changed = [f"{_MANIFEST} ({type(error).__name__})"]
    if changed:
        return Finding(
            "carried model",
            "problem",
            f"damaged: {', '.join(changed)}",
            "Install DOME again.",
        )
    return Finding("carried model", "ok", "as it was built")


async def check_embedder(embedder: Embedder | None) -> Finding:
    """Whether the embedding model loads and embeds."""
    if embedder is None:
        return Finding(
            "embedding model",
            "warning",
            "switched off; search is by keyword only",
            "Unset DOME_EMBEDDING_MODEL to search by meaning too.",
        )
    try:
        await embedder.warm_up()
        vector = await embedder.embed_query("Does it work?")
    except DomeError as error:
        return Finding("embedding model", "problem", error.message, error.hint)
    if len(vector) != embedder.dimensions:
        return Finding(
            "embedding model",
            "problem",
            f"{embedder.model} gives {len(vector)} dimensions, not {embedder.dimensions}",
            "Install the model again.",
        )
    return Finding("embedding model", "ok", f"{embedder.model}, {embedder.dimensions} dimensions")


async def check_reranker(reranker: Reranker) -> Finding:
    """Whether the reranker loads and scores."""
    try:
        await reranker.rerank("Does it work?", ["It works."])
    except DomeError as error:
        return Finding("reranker", "problem", error.message, error.hint)
    return Finding("reranker", "ok", reranker.model)


async def check_language_model(model: LanguageModel | None) -> Finding:
    """Whether the language model answers, where one is configured, and how fast it is."""
    if model is None:
        return Finding("language model", "ok", "none; answers quote the notes")
    began = anyio.current_time()
    try:
        await model.complete([Turn("user", "Say OK.")], max_tokens=_SHORT_ANSWER_TOKENS)
    except DomeError as error:
        return Finding("language model", "problem", error.message, error.hint)
    seconds = anyio.current_time() - began
    answers = f"{model.model} answers in {seconds:.1f} s; DOME sends {model.context_tokens} tokens"
    return Finding("language model", "ok", f"{answers} at most")


async def check_converter(converter: Converter) -> Finding:
    """Whether what reads documents elsewhere does; a page of HTML costs nothing there."""
    try:
        await converter.to_markdown(_PAGE, filename="check.html")
    except DomeError as error:
        return Finding("conversion", "problem", error.message, error.hint)
    extensions = " ".join(sorted(converter.content_types))
    return Finding("conversion", "ok", f"Cloudflare reads what DOME cannot: {extensions}")
