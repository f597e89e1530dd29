"""The server under test."""

from tests.serving import client, served

__all__ = ["client", "served"]
