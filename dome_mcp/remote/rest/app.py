"""The REST API of a machine, with all its subjects, to be mounted at /api behind the gate."""

from types import ModuleType

from fastapi import FastAPI
from fastapi.routing import APIRoute

from dome_mcp.app import Door
from dome_mcp.remote.rest import (
    channels,
    chat,
    inbox,
    ingest,
    me,
    notes,
    reminders,
    search,
    sessions,
    status,
    tasks,
    uploads,
)
from dome_mcp.remote.rest.assembly import assembled, routes_of
from dome_mcp.remote.rest.on_machine import OnMachine

SUBJECTS: tuple[ModuleType, ...] = (
    me,
    status,
    notes,
    ingest,
    uploads,
    search,
    chat,
    sessions,
    tasks,
    reminders,
    inbox,
    channels,
)


def build_api(door: Door) -> FastAPI:
    """The API over one door to the application; every caller brings it with their request."""
    app = assembled(SUBJECTS, OnMachine())
    app.state.door = door  # for uploads, which nobody is known to send
    return app


def served_routes() -> list[APIRoute]:
    """The routes of every subject."""
    return routes_of(SUBJECTS)
