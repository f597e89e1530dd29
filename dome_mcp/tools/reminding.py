"""Setting a reminder, as the tool and the route do it."""

from dataclasses import replace

from dome_mcp.app import Dome
from dome_mcp.core.reminder_drafts import NewReminder
from dome_mcp.services import reminders
from dome_mcp.services.agenda import ReminderView
from dome_mcp.services.channels import default_channels
from dome_mcp.tools.changes import tell_agenda_changed
from dome_mcp.tools.demands import demand_for_channels, demand_for_notes

_NO_CHANNEL = (
    "No channel is set up, so it comes as a desktop notice, where there is a desktop, and is told "
    "here. The user adds e-mail, a phone or a chat with `dome-mcp channel add`."
)
_NO_CHANNEL_OF_A_GUEST = (
    "No channel is set up, so it is told here and nowhere else. The user adds e-mail, a phone or a "
    "chat with POST /api/channels."
)
"""For users whose desktop this machine's is not."""


async def set_reminder(dome: Dome, new: NewReminder) -> ReminderView:
    """Stores the reminder, tells the user's listeners, and warns where no channel carries it.

    Raises:
        InsufficientScope: it names notes or the desktop, and the caller has nothing to do with
            them.
        DomeError: as `create_reminder` of the services.
    """
    demand_for_notes(dome.principal, new.note_ids)
    demand_for_channels(dome.principal, new.channels)
    # Before the reminder is stored: nothing that fails after it may make the call look failed.
    has_channel = new.channels or await default_channels(dome.ports, user_id=dome.user_id)
    view = await reminders.create_reminder(
        new, dome.ports, user_id=dome.user_id, now=dome.now(), zone=dome.zone.key
    )
    tell_agenda_changed(dome)
    if has_channel:
        return view
    is_owner = dome.user_id == dome.settings.user
    warning = _NO_CHANNEL if is_owner else _NO_CHANNEL_OF_A_GUEST
    return replace(view, warnings=(*view.warnings, warning))
