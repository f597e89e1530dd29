"""The Worker that serves the REST API."""
