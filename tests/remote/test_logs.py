"""The log: what a record looks like, and what strangers and errors cannot do to it."""

import json
import logging
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from dome_mcp.http_settings import LogFormat
from dome_mcp.remote.logs import fields, formatter

FORMATS: tuple[LogFormat, ...] = ("text", "json")


def test_a_line_of_text_has_the_fields_behind_the_message() -> None:
    line = formatter("text").format(_record("request", **fields(method="GET", status=200)))
    assert line.endswith(" INFO dome: request method=GET status=200")


def test_a_line_of_json_is_one_object() -> None:
    line = formatter("json").format(_record("request", **fields(method="GET", status=200)))
    said = json.loads(line)
    assert said["message"] == "request"
    assert (said["level"], said["logger"]) == ("INFO", "dome")
    assert (said["method"], said["status"]) == ("GET", 200)
    assert said["time"].endswith("+00:00")


@pytest.mark.parametrize("log_format", FORMATS)
def test_a_message_cannot_begin_a_record_of_its_own(log_format: LogFormat) -> None:
    forged = "GET /\r\n2026-11-24T10:00:00 INFO dome: all is well\x1b[2J"
    written = formatter(log_format).format(_record(forged))
    assert not [line for line in written.splitlines()[1:] if not line.startswith("    ")]
    assert "\x1b" not in written
    assert "\r" not in written


@pytest.mark.parametrize("log_format", FORMATS)
def test_a_message_has_an_end(log_format: LogFormat) -> None:
    written = formatter(log_format).format(_record("a" * 1_000_000 + "the end"))
    assert len(written) < 10_000
    assert "the end" in written


@pytest.mark.parametrize("log_format", FORMATS)
def test_of_an_error_the_place_is_shown_and_its_words_only_when_asked_for(
    log_format: LogFormat,
) -> None:
    words = "the user wrote: canary"
    try:
        raise ValueError(words)
    except ValueError:
        record = _record("failed", exc_info=sys.exc_info())
    quiet = formatter(log_format).format(record)
    assert "ValueError" in quiet
    assert "test_logs.py" in quiet
    assert words not in quiet
    assert f"ValueError: {words}" in formatter(log_format, says_why=True).format(record)


def _record(
    message: str, *, exc_info: Any = None, **extra: Mapping[str, object]
) -> logging.LogRecord:
    return logging.getLogger("dome").makeRecord(
        "dome", logging.INFO, __file__, 1, message, (), exc_info, extra=extra
    )
