"""The server under test: with its own data, and without any over the REST API of one that has."""

from tests.agenda_serving import agenda
from tests.api_client.ways import agenda_client, client
from tests.serving import served

__all__ = ["agenda", "agenda_client", "client", "served"]
