"""DOME: notes, tasks and reminders for AI assistants, over the Model Context Protocol."""

__version__ = "0.1.0"
