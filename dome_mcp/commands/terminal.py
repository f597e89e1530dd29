"""Colours, tables and bars, by rich. Imported only when something is shown on a terminal."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text


def print_line(text: str, style: str, *, file: TextIO) -> None:
    """Prints a text in a style; nothing in it is taken for markup."""
    Console(file=file, highlight=False).print(Text(text, style=style))


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, file: TextIO) -> None:
    """Prints rows under headers, wrapped to the terminal's width.

    The first column is never cut, because it holds what the next command wants: an id. None is
    squeezed out.
    """
    table = Table(box=None, header_style="bold", pad_edge=False)
    for number, header in enumerate(headers):
        longest = max((len(row[number]) for row in rows), default=0)
        table.add_column(header, min_width=len(header) if number else longest)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(file=file, highlight=False).print(table)


@contextmanager
def progress(file: TextIO) -> Iterator[Callable[[str, int, int | None], None]]:
    """A bar that shows the (label, done, total) of the last call."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(file=file),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=None)
        label_shown = ""

        def show(label: str, done: int, total: int | None) -> None:
            nonlocal label_shown
            if label != label_shown:
                # Another kind of work: its speed says nothing about the one before.
                bar.reset(task, description=label, total=total)
                label_shown = label
            bar.update(task, completed=done, total=total)

        yield show
