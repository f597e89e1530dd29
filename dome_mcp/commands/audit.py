"""`dome-mcp audit`: who did what over the network."""

from dome_mcp.app import opened
from dome_mcp.commands.shell import Invocation
from dome_mcp.core.audit import AuditEntry
from dome_mcp.core.timestamps import local_iso
from dome_mcp.services.audit import list_entries


async def show(invocation: Invocation) -> int:
    """Prints a page of the audit log, newest first."""
    arguments, output, settings = invocation.arguments, invocation.output, invocation.settings()
    async with opened(settings) as dome:
        page = await list_entries(
            dome.ports, user_id=arguments.user, limit=arguments.limit, cursor=arguments.cursor
        )

    def at(entry: AuditEntry) -> str:
        return local_iso(entry.at, settings.timezone)

    output.value(
        {
            "entries": [
                {
                    "at": at(entry),
                    "user_id": entry.user_id,
                    "credential": entry.credential,
                    "source": entry.source,
                    "action": entry.action,
                    "target": entry.target,
                    "outcome": entry.outcome,
                    "times": entry.times,
                }
                for entry in page.entries
            ],
            "next_cursor": page.next_cursor,
        }
    )
    output.table(
        ("at", "user", "credential", "from", "action", "target", "outcome", "times"),
        [
            (
                at(entry),
                entry.user_id,
                entry.credential,
                entry.source,
                entry.action,
                entry.target,
                entry.outcome,
                str(entry.times),
            )
            for entry in page.entries
        ],
    )
    if page.next_cursor and not output.is_json:
        output.remark(f"More with --cursor {page.next_cursor}")
    return 0
