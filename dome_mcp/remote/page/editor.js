/* Changing a note. Whatever happens on the server, what was typed stays. */

import { call, get } from "./api.js";
import { button, confirmed, field, form, h, input, tell } from "./dom.js";
import { list, moment, time } from "./words.js";

const STALE = 412;

/** A form for the note; `close` is given the saved note, or nothing where it was left as it is. */
export function editor(note, close) {
  let current = note;
  const fields = {
    title: input({ value: note.title, required: true, maxlength: 500 }),
    tags: input({ value: note.tags.join(", "), placeholder: "travel, work" }),
    context: input({ value: note.context ?? "" }),
    text: h("textarea", { value: note.text, dir: "auto", rows: 18, spellcheck: "true" }),
  };
  const warning = h("div");
  const changes = () => changed(fields, current);
  const isDirty = () => Object.keys(changes()).length > 0;

  const save = async () => {
    if (!isDirty()) return close();
    const path = `notes/${encodeURIComponent(note.note_id)}`;
    let saved;
    try {
      saved = await call("PATCH", path, {
        body: changes(),
        headers: { "If-Match": `"${current.revision}"` },
      });
    } catch (error) {
      if (error.status !== STALE) throw error;
      current = await get(path);
      warning.replaceChildren(conflict(current, reload));
      warning.firstChild.focus();
      return;
    }
    tell("Saved.");
    close(saved);
  };
  const reload = async () => {
    if (await confirmed("Drop what you typed and see the newer note?", "Drop it", "Keep writing"))
      close(current);
  };
  const cancel = async () => {
    if (
      !isDirty() ||
      (await confirmed("Leave without saving what you changed?", "Leave", "Keep writing"))
    ) {
      close(current === note ? undefined : current);
    }
  };

  const element = form(
    { class: "editor", "aria-label": "Change the note" },
    save,
    h("h1", null, "Change the note"),
    warning,
    field("Title", fields.title),
    h(
      "div",
      { class: "grid" },
      field("Tags", fields.tags, "With commas between them."),
      field("Context", fields.context, "A project, a trip, a conversation."),
    ),
    field("Text", fields.text),
    h("div", { class: "row" }, h("button", { class: "primary" }, "Save"), button("Cancel", cancel)),
  );
  return { element, isDirty };
}

/** What differs from the note as it was last read; only that is sent. */
function changed(fields, note) {
  const result = {};
  const value = (name) => fields[name].value;
  // A textarea knows only \n; a text that was stored otherwise is not changed by that.
  if (value("text") !== note.text.replace(/\r\n?/g, "\n")) result.text = value("text");
  if (value("title").trim() !== note.title) result.title = value("title").trim();
  if (value("context").trim() !== (note.context ?? "")) result.context = value("context").trim();
  const tags = list(value("tags"));
  if (tags.join("\n") !== note.tags.join("\n")) result.tags = tags;
  return result;
}

function conflict(newer, reload) {
  return h(
    "div",
    { class: "notice warn", role: "alert", tabindex: "-1" },
    h(
      "p",
      null,
      h("strong", null, "This note was changed meanwhile"),
      " (",
      time(newer.updated, moment),
      "), so yours was not saved. What you typed is still here.",
    ),
    h(
      "details",
      null,
      h("summary", null, "The newer text"),
      h("p", null, h("strong", { dir: "auto" }, newer.title)),
      h("pre", { class: "newer", dir: "auto", tabindex: "0" }, newer.text),
    ),
    h("div", { class: "row" }, button("Reload the newer one", reload)),
    h("p", null, "“Save” now puts what you typed over it."),
  );
}
