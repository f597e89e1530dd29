"""The Worker that takes documents in."""
