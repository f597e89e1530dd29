/* Today: what fired, what failed, what is due, and what comes. */

import { call, can, get, idempotencyKey, session } from "./api.js";
import { button, h, tell } from "./dom.js";
import { quickAdd } from "./quickadd.js";
import { clock, details, localDate, moment, noteHref, tagLinks, time } from "./words.js";

export const title = "Today";
export const needs = ["tasks:read"];
export const purpose = "see tasks and reminders";

const PAGE = 50;
const FRESH_MS = 60_000;

export async function show({ root, signal }) {
  const heading = new Intl.DateTimeFormat("en-GB", {
    weekday: "long",
    day: "numeric",
    month: "long",
    timeZone: session.zone,
  });
  const board = h(
    "div",
    { class: "board", "aria-busy": "true" },
    h("p", { class: "count" }, "Looking …"),
  );
  const refresh = () => fill(board, { signal, refresh });
  root.append(
    h("h1", null, "Today"),
    h("p", { class: "lead" }, `${heading.format(new Date())} · ${session.me.timezone}`),
    can("tasks:write")
      ? quickAdd(refresh)
      : h("p", { class: "notice" }, "This token may see tasks and reminders, but not change them."),
    board,
  );
  await refresh();
  keepFresh(board, { signal, refresh });
}

/** Shows what fires meanwhile, but takes nothing away from under a finger or the focus. */
function keepFresh(board, { signal, refresh }) {
  const look = () => {
    if (!document.hidden && !board.matches(":focus-within, :hover")) refresh().catch(() => {});
  };
  const timer = setInterval(look, FRESH_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
  document.addEventListener("visibilitychange", look, { signal });
}

async function fill(board, place) {
  board.setAttribute("aria-busy", "true");
  const { signal } = place;
  const [tasks, reminders, failed, inbox] = await Promise.all([
    get("tasks", { status: "pending", limit: PAGE }, signal),
    get("reminders", { state: "upcoming", limit: PAGE }, signal),
    get("reminders", { state: "failed", limit: 10 }, signal),
    get("inbox", {}, signal),
  ]).catch((error) => {
    board.replaceChildren();
    throw error;
  });
  const shown = [
    warnings(inbox.warnings ?? []),
    section(
      "Waiting for you",
      inbox.inbox.map((each) => firedItem(each, place)),
      inbox.has_more && "There are more.",
    ),
    section("Not delivered", failed.reminders.flatMap(failures)),
    ...due(tasks.tasks).map(([name, some]) =>
      section(
        name,
        some.map((each) => taskItem(each, place)),
      ),
    ),
    section(
      "Reminders to come",
      reminders.reminders.map((each) => reminderItem(each, place)),
    ),
    (tasks.next_cursor || reminders.next_cursor) &&
      h("p", { class: "count" }, `The first ${PAGE} of each are shown.`),
  ].filter(Boolean);
  board.replaceChildren(...(shown.length ? shown : [nothing()]));
  board.removeAttribute("aria-busy");
}

const nothing = () =>
  h(
    "section",
    { class: "empty" },
    h("h2", null, "Nothing is waiting"),
    h("p", null, "No task is open and no reminder is set."),
  );

const warnings = (texts) =>
  texts.length > 0 &&
  h(
    "div",
    { class: "notice warn", role: "alert" },
    texts.map((text) => h("p", null, text)),
  );

const section = (name, items, more) =>
  items.length > 0 &&
  h(
    "section",
    { "aria-label": name },
    h("h2", null, name),
    h("ul", { class: "items" }, items),
    more && h("p", { class: "count" }, more),
  );

/** The tasks by when they are due, in the user's own days. */
function due(tasks) {
  const today = localDate(Date.now());
  const dayOf = (task) => task.due && localDate(task.due);
  return [
    ["Overdue", tasks.filter((task) => task.overdue)],
    ["Due today", tasks.filter((task) => !task.overdue && dayOf(task) === today)],
    ["Due later", tasks.filter((task) => !task.overdue && dayOf(task) > today)],
    ["Without a date", tasks.filter((task) => !task.due)],
  ];
}

/** A line with its buttons; when one of them is pressed, the list is read again. */
function item(place, { text, line, actions, kind }) {
  const row = h(
    "li",
    { class: kind ?? "" },
    h("div", null, h("p", { dir: "auto", class: "what" }, text), line),
    can("tasks:write") &&
      h(
        "div",
        { class: "row" },
        actions.map(([label, act, props]) =>
          button(
            label,
            async () => {
              const said = await act();
              await place.refresh();
              tell(...said);
              focusAfter(row);
            },
            { "aria-label": `${label}: ${text}`, ...props },
          ),
        ),
      ),
  );
  return row;
}

/** The row is gone with its button; whoever uses the keyboard goes on at the heading. */
function focusAfter(row) {
  if (row.isConnected || (document.activeElement !== document.body && document.activeElement))
    return;
  document.querySelector("h1").focus({ preventScroll: true });
}

function taskItem(task, place) {
  const complete = async () => {
    const done = await call("POST", `tasks/${task.task_id}/complete`, {
      headers: { "Idempotency-Key": idempotencyKey() },
    });
    if (done.task.status !== "completed") return [`Done. Next: ${done.task.when}.`];
    return [`Done: ${task.description}`, button("Undo", undo)];
  };
  const undo = async () => {
    await call("PATCH", `tasks/${task.task_id}`, { body: { status: "pending" } });
    await place.refresh();
    tell(`Open again: ${task.description}`);
  };
  const isToday = task.due && localDate(task.due) === localDate(Date.now());
  return item(place, {
    kind: task.overdue ? "overdue" : "",
    text: task.description,
    line: details(
      task.overdue && h("strong", { class: "late" }, "Overdue"),
      task.due && time(task.due, isToday ? clock : moment),
      task.repeat_words,
      tagLinks(task.tags),
      task.note_ids.map(noteLink),
    ),
    actions: [["Complete", complete]],
  });
}

function firedItem(fired, place) {
  return item(place, {
    kind: "fired",
    text: fired.text,
    line: [
      details(fired.when, fired.late),
      (fired.failed ?? []).map((each) =>
        h("p", { class: "failed" }, h("strong", null, `${each.channel} failed`), ` ${each.error}`),
      ),
    ],
    actions: [
      [
        "Done",
        () => act(fired, "acknowledge", {}, () => `Done: ${fired.text}`),
        { class: "primary" },
      ],
      ["Snooze 1 h", () => act(fired, "snooze", { by: "1h" }, snoozed)],
    ],
  });
}

function reminderItem(reminder, place) {
  return item(place, {
    text: reminder.text,
    line: [
      details(
        reminder.local && time(reminder.local, moment),
        reminder.snoozed && "snoozed",
        reminder.repeat_words,
        reminder.channels.length > 0 && `by ${reminder.channels.join(", ")}`,
      ),
      reminder.warnings.map((text) => h("p", { class: "failed" }, text)),
    ],
    actions: [["Cancel", () => act(reminder, "cancel", {}, () => `Cancelled: ${reminder.text}`)]],
  });
}

const failures = (reminder) =>
  (reminder.deliveries ?? [])
    .filter((each) => each.state === "FAILED")
    .map((each) =>
      h(
        "li",
        { class: "overdue" },
        h(
          "div",
          null,
          h("p", { dir: "auto", class: "what" }, reminder.text),
          details(time(each.due, moment)),
          h(
            "p",
            { class: "failed" },
            h("strong", null, `${each.channel} failed`),
            ` ${each.error ?? ""}`,
          ),
        ),
      ),
    );

const noteLink = (noteId) => h("a", { href: noteHref(noteId) }, "note");

const snoozed = (reminder) => `Snoozed until ${reminder.when ?? "later"}.`;

async function act(reminder, action, body, said) {
  const path = `reminders/${encodeURIComponent(reminder.reminder_id)}/${action}`;
  const answer = await call("POST", path, {
    body,
    headers: { "Idempotency-Key": idempotencyKey() },
  });
  return [said(answer.reminder ?? answer)];
}
