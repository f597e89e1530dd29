"""Web servers that a test starts and that end with it, and folders to read from."""

import os
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sources.certificates import Certificates, make_certificates
from tests.sources.web_server import WebServer


@pytest.fixture
def start_server() -> Iterator[Callable[..., WebServer]]:
    """Starts a server, over TLS where a context is given."""
    started: list[tuple[WebServer, threading.Thread]] = []

    def start(tls: ssl.SSLContext | None = None) -> WebServer:
        server = WebServer()
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        started.append((server, thread))
        return server

    yield start
    for server, thread in started:
        for page in server.pages.values():
            if page.hold:
                page.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def server(start_server: Callable[..., WebServer]) -> WebServer:
    return start_server()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """For the host `pages.example`, and trust in it."""
    folder: Path = tmp_path_factory.mktemp("certificates")
    return make_certificates(folder, "pages.example")


NOBODY = 65_534
"""The user without rights, by custom."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    secret = tmp_path / "outside" / "secret.txt"
    secret.parent.mkdir()
    secret.write_text("secret")
    return secret


@pytest.fixture
def unprivileged_root(tmp_path: Path) -> Iterator[Path]:
    """A root, as a user whom modes bind: the superuser, whom they do not, is nobody meanwhile."""
    if os.geteuid() != 0:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders let no other user through
        os.chown(folder, NOBODY, -1)
        os.seteuid(NOBODY)
        try:
            yield Path(folder).resolve()
        finally:
            os.seteuid(0)
