/* One line to add a task or a reminder. */

import { call, idempotencyKey, session } from "./api.js";
import { field, form, h, input, tell } from "./dom.js";
import { wallTime } from "./words.js";

const HOUR_MS = 3_600_000;

/** A line to write and a time; a reminder needs one, a task may do without. */
export function quickAdd(refresh) {
  let key = idempotencyKey();
  const text = input({ required: true, maxlength: 2000, placeholder: "Call the plumber" });
  const at = h("input", { type: "datetime-local" });
  const kind = h(
    "select",
    { onchange: () => kindChanged() },
    h("option", { value: "task" }, "Task"),
    h("option", { value: "reminder" }, "Reminder"),
  );
  const kindChanged = () => {
    const isReminder = kind.value === "reminder";
    at.required = isReminder;
    at.min = isReminder ? wallTime(Date.now()) : "";
    if (isReminder && !at.value) at.value = wallTime(Date.now() + HOUR_MS);
  };
  const send = async () => {
    const timezone = session.me.timezone;
    const [path, body] =
      kind.value === "task"
        ? ["tasks", { description: text.value, ...(at.value && { due: at.value, timezone }) }]
        : ["reminders", { text: text.value, at: at.value, timezone }];
    // Sent again after a failure it has the same key, so that it is added once.
    const made = await call("POST", path, { body, headers: { "Idempotency-Key": key } });
    key = idempotencyKey();
    const { when, warnings: warned } = made.task ?? made.reminder ?? made;
    text.value = at.value = "";
    kindChanged();
    text.focus();
    tell([when ? `Added for ${when}.` : "Added.", ...(warned ?? [])].join(" "));
    await refresh();
  };
  const element = form(
    { class: "card quick", "aria-label": "Add a task or a reminder" },
    send,
    field("What", text),
    field("Kind", kind),
    field("When", at),
    h("button", { class: "primary" }, "Add"),
  );
  // What is changed is another request.
  element.addEventListener("input", () => (key = idempotencyKey()));
  return element;
}
