"""The server under test."""

from tests.agenda_serving import agenda, agenda_client
from tests.serving import client, served

__all__ = ["agenda", "agenda_client", "client", "served"]
