"""The two steps that every companion repeats: a tick, and an attempt to deliver.

A tick finds what is due, records its firings and deliveries, claims what is to be sent, and wakes
the senders through the queue. An attempt begins a delivery, notifies, and settles it. Any number
of companions may do both at once, and any of them may die between two lines: the rows decide, and
the same delivery always goes out under the same idempotency key.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dome_mcp.core.agenda import (
    Action,
    DeliveryPolicy,
    DeliveryState,
    Firing,
    Notice,
    Outcome,
)
from dome_mcp.core.awaiting import awaited
from dome_mcp.core.channels import DESKTOP, desktop_channel
from dome_mcp.core.errors import DeliveryFailed, InvalidInput, NotServed
from dome_mcp.core.notices import compose
from dome_mcp.core.ports import Database, EventQueue, Notifier
from dome_mcp.core.reminders import (
    Settlement,
    after_attempt,
    after_unserved,
    channels_of,
    plan_due,
)
from dome_mcp.services.digest import make_digest
from dome_mcp.store import deliveries, digests
from dome_mcp.store.deliveries import Begun, Claim, Recording

BATCH_FIRINGS = 1000
"""So many firings go into one transaction at most, which others wait for."""

ComposeActions = Callable[[Firing], tuple[Action, ...]]


@dataclass(frozen=True, slots=True)
class Ticked:
    """What a tick did, and when the next one is due: now, where it left something for it."""

    fired: int
    claimed: int
    next_due: datetime | None


async def tick(
    database: Database, queue: EventQueue, policy: DeliveryPolicy, *, now: datetime
) -> Ticked:
    """Fires what is due and sends on what is to be delivered, at most `policy.batch` of each.

    Raises:
        BackendUnavailable: the queue or the database failed. What was recorded stays; what was
            claimed and not sent on is claimed again after `policy.claim_seconds`.
    """
    next_due = await _next_time(database)
    if next_due is None or next_due > now:
        return Ticked(0, 0, next_due)
    fired = await _fire_due(database, policy, now=now)
    claims = await _claim(database, policy, now=now)
    if claims:
        await queue.send([_to_body(each) for each in claims])
    return Ticked(fired, len(claims), await _next_time(database))


async def attempt_delivery(
    body: str,
    database: Database,
    notifiers: Mapping[str, Notifier],
    policy: DeliveryPolicy,
    *,
    now: datetime,
    compose_actions: ComposeActions | None = None,
) -> DeliveryState | None:
    """Tries the delivery that a queue message names, and returns the state it is left in.

    None where there was nothing to do: the message is stale or came twice, the user needs the
    notice no more, a digest has nothing to tell, or the attempt took so long that another companion
    took it over.

    Raises:
        InvalidInput: the message is none of ours.
        BackendError: the database failed; the delivery is tried again when its lease is over.
    """
    begun = await _begin(body, database, policy, now=now)
    if begun is None:
        return None
    notice = await _notice(begun, database, now=now, compose_actions=compose_actions)
    if notice is None:
        await database.query(digests.withdraw(begun.delivery))
        return None
    settlement = await _notify(begun, notice, notifiers, policy, now=now)
    return await _settle(begun, settlement, database, now=now)


async def record_dead_letter(
    body: str, database: Database, policy: DeliveryPolicy, *, now: datetime
) -> DeliveryState | None:
    """Notes in a delivery's row that whoever was given its message failed each time.

    The channel refused nothing, so no chance is used up: it is tried again after a while. None
    where the row tells of something newer.

    Raises:
        InvalidInput: the message is none of ours.
        BackendError: the database failed.
    """
    begun = await _begin(body, database, policy, now=now)
    if begun is None:
        return None
    settlement = after_unserved(begun.delivery, _DEAD_LETTER, policy, now=now)
    return await _settle(begun, settlement, database, now=now)


async def _begin(
    body: str, database: Database, policy: DeliveryPolicy, *, now: datetime
) -> Begun | None:
    lease_until = now + timedelta(seconds=policy.lease_seconds)
    results = await database.batch(deliveries.begin(_to_claim(body), lease_until=lease_until))
    return deliveries.to_begun(results)


async def _settle(
    begun: Begun, settlement: Settlement, database: Database, *, now: datetime
) -> DeliveryState | None:
    rows = await database.query(deliveries.settle(begun.delivery, settlement, now=now))
    return settlement.state if rows else None


async def _next_time(database: Database) -> datetime | None:
    rows = await database.query(deliveries.next_times())
    return deliveries.to_next_time(rows[0])


async def _fire_due(database: Database, policy: DeliveryPolicy, *, now: datetime) -> int:
    """Records a batch of firings with their deliveries, and returns how many there were."""
    fired = 0
    rows = await database.query(deliveries.due(now, limit=policy.batch))
    recordings: list[Recording] = []
    for row in rows:
        reminder, defaults = deliveries.to_due(row)
        channels = channels_of(reminder, defaults, policy)
        recordings.append(Recording(reminder, plan_due(reminder, now), channels))
    for part in _in_parts(recordings):
        results = await database.batch(deliveries.record(part, now=now))
        written = {str(row["reminder_id"]) for row in results[-1]}
        fired += sum(len(each.plan.firings) for each in part if each.before.reminder_id in written)
    return fired


def _in_parts(recordings: Sequence[Recording]) -> Iterator[list[Recording]]:
    """The recordings in stretches of at most `BATCH_FIRINGS` firings, or of one reminder."""
    part: list[Recording] = []
    firings = 0
    for each in recordings:
        count = len(each.plan.firings)
        if part and firings + count > BATCH_FIRINGS:
            yield part
            part, firings = [], 0
        part.append(each)
        firings += count
    if part:
        yield part


async def _claim(database: Database, policy: DeliveryPolicy, *, now: datetime) -> list[Claim]:
    until = now + timedelta(seconds=policy.claim_seconds)
    rows = await database.query(deliveries.claim(now, until=until, limit=policy.batch))
    return [deliveries.to_claim(row) for row in rows]


async def _notice(
    begun: Begun, database: Database, *, now: datetime, compose_actions: ComposeActions | None
) -> Notice | None:
    """What is to be sent; None for a digest that has nothing to tell."""
    reminder, firing = begun.reminder, begun.firing
    if reminder.kind == "digest":
        return await make_digest(reminder, firing, database, now=now)
    actions = compose_actions(firing) if compose_actions else ()
    return compose(reminder, firing, now=now, snippet=begun.snippet, actions=actions)


async def _notify(
    begun: Begun,
    notice: Notice,
    notifiers: Mapping[str, Notifier],
    policy: DeliveryPolicy,
    *,
    now: datetime,
) -> Settlement:
    """Sends the notice once, and says what follows from the answer."""
    delivery = begun.delivery
    attempt = delivery.refusals + 1
    channel = begun.channel
    if channel is None and delivery.channel == DESKTOP:  # its user has it, with no row for it
        channel = desktop_channel(delivery.user_id)
    is_elsewhere = policy.desktop_user not in (None, delivery.user_id)
    if channel is not None and channel.kind == DESKTOP and is_elsewhere:
        return after_attempt(attempt, _ANOTHERS_DESKTOP, policy, now=now)
    if channel is None:
        return after_attempt(attempt, _no_channel(delivery.channel), policy, now=now)
    notifier = notifiers.get(channel.kind)
    if notifier is None:
        return after_unserved(delivery, awaited(channel), policy, now=now)
    try:
        receipt = await notifier.notify(notice, channel, idempotency_key=delivery.delivery_key)
    except NotServed as error:
        return after_unserved(delivery, str(error), policy, now=now)
    except DeliveryFailed as error:
        refused = Outcome(
            is_sent=False,
            error=str(error),
            is_retryable=error.retryable,
            retry_after_seconds=error.retry_after,
        )
        return after_attempt(attempt, refused, policy, now=now)
    return after_attempt(attempt, Outcome(is_sent=True, receipt=receipt), policy, now=now)


_ANOTHERS_DESKTOP = Outcome(
    is_sent=False,
    error="The desktop of this machine is another user's. Name a channel of your own.",
    is_retryable=False,
)


_DEAD_LETTER = "Whoever was to send it failed each time, before it went out. It is tried again."


def _no_channel(name: str) -> Outcome:
    error = f"There is no channel {name!r} any more. Add it again, or name another one."
    return Outcome(is_sent=False, error=error, is_retryable=False)


def _to_body(claimed: Claim) -> str:
    return json.dumps({"key": claimed.delivery_key, "attempt": claimed.attempt})


def _to_claim(body: str) -> Claim:
    try:
        fields = json.loads(body)
        return Claim(str(fields["key"]), int(fields["attempt"]))
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidInput("The message on the queue names no delivery.") from error
