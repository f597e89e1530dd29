"""Companions: processes and Workers that fire reminders when no assistant is running."""
