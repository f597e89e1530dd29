"""Bytes to text with locations: one module a format."""
