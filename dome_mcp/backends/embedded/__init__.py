"""Drivers for one machine: SQLite, vectors in process, files, local models."""
