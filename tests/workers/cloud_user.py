"""A user of DOME with a Cloudflare account: a machine, the commands typed on it, an assistant."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mcp import Client, StdioServerParameters

from dome_mcp.settings import CONFIG_FILE
from tests.server.processes import COMMAND, environment

_PATIENCE_SECONDS = 60
_CARRIED_MODEL = {"DOME_EMBEDDING_MODEL": ""}


@dataclass(frozen=True, slots=True)
class Machine:
    """A data folder, and the settings of DOME in its user's environment."""

    home: Path
    settings: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        return environment(self.home, **{**_CARRIED_MODEL, **self.settings})

    def dome(self, *arguments: str) -> str:
        """What the command prints; it has to succeed."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"
        return done.stdout

    def assistant(self, era: str) -> Client:
        """A client whose server is a process of its own, spoken to over its standard streams."""
        server = StdioServerParameters(command=COMMAND[0], args=COMMAND[1:], env=self.environment)
        return Client(server, mode=era)

    @contextmanager
    def companion(self) -> Iterator[None]:
        """A companion that runs with the block; it has to end well when it is told to."""
        with subprocess.Popen([*COMMAND, "companion", "run"], env=self.environment) as process:
            try:
                yield
            finally:
                process.terminate()
                code = process.wait(_PATIENCE_SECONDS)
        assert code == 0

    def beside(self, home: Path) -> "Machine":
        """Another machine with the same settings and nothing else."""
        home.mkdir()
        (home / CONFIG_FILE).write_bytes((self.home / CONFIG_FILE).read_bytes())
        return Machine(home, self.settings)

    def problems(self) -> list[str]:
        """What `dome-mcp doctor` finds wrong, or not quite right."""
        findings = self.dome("doctor").splitlines()
        return [each for each in findings if each.startswith(("PROBLEM", "warning"))]
