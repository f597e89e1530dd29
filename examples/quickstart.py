"""DOME in a quarter of a minute: stores the example documents, searches, asks, shows the sources.

Run `python examples/quickstart.py`. It starts DOME as an assistant does, as an MCP server on
standard input and output, in a temporary folder. It ends with 0 only if every answer was found.
"""

import shlex
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters

DOCUMENTS = Path(__file__).resolve().parent / "documents"
QUERY = "lunch on the island"
INDEXED_WITHIN_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Expected:
    """A question, and the words that its answer and the place of its source hold."""

    question: str
    answer: str
    source: str


QUESTIONS = (
    Expected("How long is the warranty on the compressor?", "seven years", "p. 2"),
    Expected("What does it cost to change the ferry booking?", "25 euros", "BL-77204"),
    Expected("Who does the new wiring in the kitchen?", "Elena Petrova", "renovation"),
)
UNANSWERABLE = "Who won the football World Cup in 2022?"


class Wrong(Exception):
    """DOME did not do what it promises; the message says what."""


async def main() -> None:
    """Runs the whole tour.

    Raises:
        Wrong: something is missing.
    """
    with tempfile.TemporaryDirectory(prefix="dome-quickstart-") as home:
        async with Client(server(Path(home))) as client:
            section(f"Storing {DOCUMENTS.name}/ in a temporary folder")
            await store(client)
            section(f"Searching: {QUERY}")
            await search(client)
            section("Asking")
            for expected in QUESTIONS:
                await ask(client, expected)
            await ask_in_vain(client)
    section("Everything works. To give DOME to your assistant, run one of")
    program = shlex.join([sys.executable, "-m", "dome_mcp"])
    print(f"  {program} config claude-desktop --write")
    print(f"  claude mcp add dome --scope user -- {program}")


def server(home: Path) -> StdioServerParameters:
    """The command an assistant would run, with a data folder of its own and no other settings."""
    settings = {
        "DOME_HOME": str(home),
        "DOME_ALLOWED_ROOTS": str(DOCUMENTS),
        "DOME_LOG_LEVEL": "ERROR",
        "DOME_COMPANION": "off",
    }
    return StdioServerParameters(command=sys.executable, args=["-m", "dome_mcp"], env=settings)


async def store(client: Client) -> None:
    """Ingests each document and waits until all are found by meaning too."""
    started = time.perf_counter()
    files = sorted(path for path in DOCUMENTS.iterdir() if path.is_file())
    if not files:
        raise Wrong(f"There are no documents in {DOCUMENTS}.")
    for file in files:
        stored = await call(client, "ingest", path=str(file))
        print(f"  {file.name:24} {shortened(stored['title'], 48):48} {stored['chunks']:3} chunks")
    with anyio.move_on_after(INDEXED_WITHIN_SECONDS) as waiting:
        # The server indexes long documents by and by.
        while await state(client) != "ready":  # noqa: ASYNC110  another process does it
            await anyio.sleep(0.1)
    if waiting.cancelled_caught:
        raise Wrong("The documents were not indexed in time.")
    print(f"  {len(files)} documents stored and indexed in {time.perf_counter() - started:.1f} s")


async def state(client: Client) -> str:
    """How far the index is."""
    return (await call(client, "search", query=QUERY))["index_state"]


async def search(client: Client) -> None:
    """Searches by meaning: the best passage shares no word with the query."""
    found = await call(client, "search", query=QUERY, limit=2)
    for number, passage in enumerate(found["passages"], 1):
        print(f"  {number}. {source(passage)}  (score {passage['score']:.2f})")
        print(quoted(passage["text"]))
    if not found["passages"] or "Gotland" not in found["passages"][0]["title"]:
        raise Wrong("The search did not find the plan of the journey.")


async def ask(client: Client, expected: Expected) -> None:
    """Asks a question and shows the answer with its sources."""
    answer = await call(client, "rag_answer", question=expected.question)
    print(f"  Q: {expected.question}")
    print(textwrap.indent(textwrap.fill(f"A: {answer['answer']}", 92), "  "))
    sources = [source(citation) for citation in answer["citations"]]
    for citation, shown in zip(answer["citations"], sources, strict=True):
        print(f"     [{citation['n']}] {shown}")
    print()
    if not answer["answered"] or expected.answer not in " ".join(answer["answer"].split()):
        raise Wrong(f"The answer does not say {expected.answer!r}.")
    if not any(expected.source in shown for shown in sources):
        raise Wrong(f"The answer does not cite {expected.source!r}.")


async def ask_in_vain(client: Client) -> None:
    """Asks what no document tells, which has to be said."""
    answer = await call(client, "rag_answer", question=UNANSWERABLE)
    print(f"  Q: {UNANSWERABLE}")
    print(f"  A: {answer['answer']}")
    if answer["answered"]:
        raise Wrong("An answer was made up.")


async def call(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    """The structured result of a tool call.

    Raises:
        Wrong: the tool reported an error.
    """
    result = await client.call_tool(tool, arguments)
    if result.is_error or result.structured_content is None:
        message = " ".join(getattr(part, "text", "") for part in result.content)
        raise Wrong(f"{tool} failed: {message}")
    return result.structured_content


def source(part: dict[str, Any]) -> str:
    """Where a passage or citation comes from: title, page or heading, date."""
    location = part.get("location", {})
    page = f"p. {location['page']}" if location.get("page") else ""
    heading = location.get("heading", "")
    place = page or (heading if heading != part["title"] else "")
    return ", ".join(filter(None, (part["title"], shortened(place, 48), part["date"][:10])))


def quoted(text: str) -> str:
    shown = textwrap.fill(shortened(" ".join(text.split()), 260), 88)
    return textwrap.indent(shown, "       | ")


def shortened(text: str, width: int) -> str:
    return textwrap.shorten(text, width, placeholder=" ...") if len(text) > width else text


def section(title: str) -> None:
    print(f"\n{title}\n{'-' * len(title)}", flush=True)


def report(error: BaseException) -> int:
    """Prints what went wrong and returns the exit code."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    print(f"\nThe quick start failed: {error or type(error).__name__}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):
        # A terminal with a small character set gets a question mark for what it does not have.
        sys.stdout.reconfigure(errors="replace")
    try:
        anyio.run(main)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001  whatever it is, the user is told
        sys.exit(report(error))
