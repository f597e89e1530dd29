"""DOME without data of its own: the same tools, resources and prompts over another DOME's API."""
