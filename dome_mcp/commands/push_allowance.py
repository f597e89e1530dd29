"""What a push has to do with D1's allowance of a day: the warning before, and the end of it."""

from collections.abc import Iterator
from contextlib import contextmanager

from dome_mcp.commands.output import Output
from dome_mcp.core.errors import QuotaExhausted
from dome_mcp.services.moving_cost import FREE_ROWS_A_DAY, ROWS_OF, Cost


def warn(cost: Cost, output: Output) -> None:
    """Shows the arithmetic where it is more than the Free plan has for a day."""
    if cost.rows <= FREE_ROWS_A_DAY:
        return
    parts = [f"{size:,} {name} at {ROWS_OF[name]}" for name, size in cost.sizes.items() if size]
    output.remark(
        f"This writes about {cost.rows:,} rows on D1: {', '.join(parts)}; indexes count as rows."
    )
    output.remark(
        f"The Free plan has {FREE_ROWS_A_DAY:,} a day. When they are used up the push stops and "
        f"loses nothing; the same command goes on after 00:00 UTC, {cost.days} days in all. "
        "Workers Paid has 50 million a month."
    )


@contextmanager
def told_how_to_go_on() -> Iterator[None]:
    """Says of an allowance that ends in the middle what became of the data, and when to go on.

    Raises:
        QuotaExhausted: in place of one from the block.
    """
    try:
        yield
    except QuotaExhausted as error:
        when = "" if error.until is None else f" after {error.until:%Y-%m-%d %H:%M} UTC"
        raise QuotaExhausted(
            error.backend,
            error.operation,
            error.message,
            "What was sent is whole, and nothing is lost: run the same command again"
            f"{when}, and it goes on from there. {error.hint}".strip(),
            until=error.until,
        ) from error
