/* Adding files, a text, or a web page. */

import { call, idempotencyKey } from "./api.js";
import { button, field, form, h, input, said, tell } from "./dom.js";
import { forget as forgetResults } from "./search.js";
import { inTurn, send, settled } from "./uploads.js";
import { list, noteHref } from "./words.js";

export const title = "Add";
export const needs = ["notes:write"];
export const purpose = "add notes";

/** They outlive the view: a file goes on being sent while its user looks elsewhere. */
const rows = h("ul", { class: "items uploads", "aria-label": "Added" });
const labelled = { tags: input({ placeholder: "travel, work" }), context: input() };
const underway = new Set();

export const isBusy = () => underway.size > 0;

/** Stops everything and forgets what was added: somebody else may sign in. */
export function forget() {
  for (const stop of underway) stop.abort();
  rows.replaceChildren();
  labelled.tags.value = labelled.context.value = "";
}

export function show({ root }) {
  const picker = h("input", {
    type: "file",
    multiple: true,
    id: "files",
    onchange: () => {
      take([...picker.files].map((file) => ({ file, isFolder: false })));
      picker.value = "";
    },
  });
  root.append(
    h("h1", null, "Add"),
    h(
      "section",
      { class: "dropzone" },
      h("label", { for: "files" }, "Drop files anywhere on this page, or choose them"),
      picker,
      h("small", null, "PDF, Word, Excel, web pages, Markdown, text and more."),
    ),
    rows,
    h(
      "fieldset",
      { class: "grid" },
      h("legend", null, "For what you add, if you like"),
      field("Tags", labelled.tags, "With commas between them."),
      field("Context", labelled.context, "A project, a trip, a conversation."),
    ),
    textForm(),
    urlForm(),
  );
}

function textForm() {
  const heading = input({ maxlength: 500 });
  const text = h("textarea", { rows: 7, required: true, dir: "auto" });
  return sending(
    "Write or paste",
    "Save the text",
    [field("Title", heading, "Without one, its first line."), field("Text", text)],
    () => {
      const sent = { text: text.value, title: heading.value.trim() };
      return {
        name: sent.title || sent.text.trim().slice(0, 60),
        sent,
        clear: () => (text.value = heading.value = ""),
      };
    },
  );
}

function urlForm() {
  const url = h("input", {
    type: "url",
    required: true,
    placeholder: "https://",
    dir: "ltr",
    pattern: "https?://.+",
  });
  return sending("A web page", "Save the page", [field("Address", url)], () => ({
    name: url.value,
    sent: { url: url.value.trim() },
    clear: () => (url.value = ""),
  }));
}

function sending(name, label, fields, read) {
  return form(
    { class: "card", "aria-label": name },
    async () => {
      const { name: what, sent, clear } = read();
      const body = { ...sent, ...labels() };
      for (const [key, value] of Object.entries(body)) if (!value.length) delete body[key];
      if (
        await follow(what, ({ signal, key }) =>
          call("POST", "ingest", { body, signal, headers: { "Idempotency-Key": key } }),
        )
      )
        clear();
    },
    h("h2", null, name),
    fields,
    h("button", { class: "primary" }, label),
  );
}

const labels = () => ({ tags: list(labelled.tags.value), context: labelled.context.value.trim() });

/** Sends each file, a few at a time, in the order they came. */
export function take(files) {
  const given = labels();
  for (const { file, isFolder } of files) {
    if (isFolder) tell(`${file.name} is a folder. Open it and drop its files.`);
    else follow(file.name, (place) => inTurn(() => send(file, given, place), place.signal));
  }
}

/** Shows how far it is in a row of its own; true once it is stored. `start` may be run again. */
async function follow(name, start, key = idempotencyKey()) {
  const stop = new AbortController();
  const shown = shownRow(name, stop);
  underway.add(stop);
  try {
    const place = { told: shown.told, signal: stop.signal, key };
    finish(shown, name, await settled(await start(place), place));
    return true;
  } catch (error) {
    // What was refused is another request; what was cut off may have arrived, and is the same.
    const isCutOff = error.status === 0 || error.status >= 500;
    fail(shown, name, error, () => follow(name, start, isCutOff ? key : undefined));
    return false;
  } finally {
    underway.delete(stop);
  }
}

function shownRow(name, stop) {
  const bar = h("progress", { max: "1", "aria-label": `Sending ${name}` });
  const state = h("p", { class: "count" }, "Waiting");
  const cancel = { type: "button", "aria-label": `Cancel: ${name}`, onclick: () => stop.abort() };
  const tools = h("div", { class: "row" }, h("button", cancel, "Cancel"));
  const what = h("p", { class: "what", dir: "auto" }, name);
  const row = h("li", null, h("div", null, what, bar, state), tools);
  rows.prepend(row);
  const told = (progress) => {
    if (progress < 1) {
      bar.value = progress;
      state.textContent = `Sending, ${Math.floor(progress * 100)} %`;
      return;
    }
    bar.removeAttribute("value");
    state.textContent =
      progress === "queued" ? "Sent. It waits for its turn." : "Sent. It is being read.";
    // It has arrived, and will be stored whatever is done here.
    tools.replaceChildren();
  };
  return { row, what, bar, state, tools, told };
}

function finish({ row, what, bar, state, tools }, name, stored) {
  forgetResults();
  bar.remove();
  tools.replaceChildren();
  row.classList.add("done");
  what.replaceChildren(h("a", { href: noteHref(stored.note_id) }, stored.title));
  const how = stored.duplicate
    ? "It was there already."
    : stored.updated
      ? "The note is updated."
      : "Stored.";
  const isIndexing = stored.status === "indexing";
  state.textContent = isIndexing
    ? `${how} It is found by its words, and by meaning in a moment.`
    : how;
  tell(stored.duplicate ? `${name} was there already.` : `${stored.title} is stored.`);
}

function fail({ row, bar, state, tools }, name, error, again) {
  bar.remove();
  row.classList.add("overdue");
  if (error.name === "AbortError") {
    tools.replaceChildren();
    state.textContent = "Cancelled.";
    return;
  }
  const retry = () => {
    row.remove();
    again();
  };
  tools.replaceChildren(button("Try again", retry, { "aria-label": `Try again: ${name}` }));
  state.replaceChildren(h("span", { class: "failed" }, said(error)));
  tell(`${name} was not stored.`);
}
