/* A note: its text with the cited place marked, its original, its changes and its end. */

import { call, can, get, open, unreachable } from "./api.js";
import { button, confirmed, h, problem, tell } from "./dom.js";
import { editor } from "./editor.js";
import { forget } from "./search.js";
import { day, details, moment, sourceOf, tagLinks, time, unitsOf } from "./words.js";

export const title = "Note";
export const needs = ["notes:read"];
export const purpose = "read notes";

/** A block this long is laid out only when it comes near the screen. */
const BLOCK_UNITS = 3000;
const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"];

let editing = null;

/** Whether something was typed that is not saved. */
export const isDirty = () => Boolean(editing?.isDirty());

export function discard() {
  editing = null;
}

export async function show({ root, id, params, signal, titled }) {
  editing = null;
  root.append(h("p", { class: "count" }, "Opening …"));
  const note = await get(`notes/${encodeURIComponent(id)}`, {}, signal).catch((error) => {
    root.replaceChildren();
    throw error;
  });
  titled(note.title);
  const cited = Object.fromEntries([...params].map(([name, value]) => [name, Number(value)]));
  reader(root, note, { cited, signal, titled });
}

function reader(root, note, place) {
  const { cited, signal } = place;
  const text = h("div", { class: "text", dir: "auto" }, blocks(note.text, cited));
  const original = h("section", { class: "original" });
  root.replaceChildren(
    h(
      "article",
      null,
      h("h1", { dir: "auto" }, note.title),
      details(
        time(note.date, day),
        note.context && h("span", { dir: "auto" }, note.context),
        tagLinks(note.tags),
        note.source && sourceOf(note.source),
        note.updated !== note.date && h("span", null, "Changed ", time(note.updated, moment)),
      ),
      h("div", { class: "row tools" }, tools(root, note, { ...place, original })),
      original,
      text,
    ),
  );
  const mark = text.querySelector("mark");
  if (!mark) return;
  mark.setAttribute("tabindex", "-1");
  mark.focus({ preventScroll: true });
  toMiddle(mark);
  // The blocks above get their true heights once they were near the screen.
  requestAnimationFrame(() => requestAnimationFrame(() => signal.aborted || toMiddle(mark)));
}

function toMiddle(mark) {
  const isLong = mark.getBoundingClientRect().height > window.innerHeight * 0.6;
  mark.scrollIntoView({ block: isLong ? "start" : "center", behavior: "instant" });
}

/** The text in blocks that end at line breaks, with its characters from start to end marked. */
function blocks(text, cited) {
  const from = unitsOf(text, cited.start ?? 0);
  const to = unitsOf(text, cited.end ?? 0);
  const result = [];
  for (let at = 0; at < text.length;) {
    const newline = text.indexOf("\n", at + BLOCK_UNITS);
    const end = newline < 0 ? text.length : newline;
    result.push(h("div", null, marked(text.slice(at, end), from - at, to - at)));
    at = end + 1;
  }
  return result;
}

function marked(text, from, to) {
  const start = Math.max(0, from);
  const end = Math.min(text.length, to);
  if (start >= end) return text;
  return [text.slice(0, start), h("mark", null, text.slice(start, end)), text.slice(end)];
}

function tools(root, note, { cited, signal, titled, original }) {
  const mayWrite = can("notes:write");
  const edit = () => {
    const close = (saved) => {
      editing = null;
      if (saved) forget();
      titled((saved ?? note).title);
      reader(root, saved ?? note, { cited: {}, signal, titled });
      root.querySelector(".tools button")?.focus();
    };
    editing = editor(note, close);
    root.replaceChildren(editing.element);
    root.querySelector("input").focus();
    titled(`Change ${note.title}`);
  };
  const remove = async () => {
    if (
      !(await confirmed(
        `Delete “${note.title}”? The note and its file are gone for good.`,
        "Delete",
        "Keep",
      ))
    )
      return;
    await call("DELETE", `notes/${encodeURIComponent(note.note_id)}`, {
      headers: { "If-Match": `"${note.revision}"` },
    });
    forget();
    tell(`“${note.title}” is deleted.`);
    location.hash = "#/search";
  };
  return [
    mayWrite && h("button", { type: "button", onclick: edit }, "Change"),
    isShowable(note) &&
      button("Show the original", () => showOriginal(original, note, { page: cited.page, signal })),
    button("Download", () => download(note)),
    h("button", { type: "button", onclick: () => window.print() }, "Print"),
    mayWrite && button("Delete", remove, { class: "danger" }),
    !mayWrite && h("small", null, "This token may read notes, but not change them."),
  ];
}

const mediaType = (note) => note.content_type.split(";")[0].trim().toLowerCase();

const isShowable = (note) =>
  mediaType(note) === "application/pdf" || PICTURES.includes(mediaType(note));

async function fetchOriginal(note, signal) {
  const response = await open("GET", `notes/${encodeURIComponent(note.note_id)}/original`, {
    signal,
  });
  try {
    return {
      bytes: await response.blob(),
      disposition: response.headers.get("Content-Disposition") ?? "",
    };
  } catch (error) {
    throw error.name === "AbortError" ? error : unreachable();
  }
}

/** Only types that run nothing are shown, under a type of our own choice. */
async function showOriginal(section, note, { page, signal }) {
  const { bytes } = await fetchOriginal(note, signal);
  const url = URL.createObjectURL(new Blob([bytes], { type: mediaType(note) }));
  signal.addEventListener("abort", () => URL.revokeObjectURL(url));
  const isPicture = PICTURES.includes(mediaType(note));
  const shown = isPicture
    ? h("img", { src: url, alt: `The original of ${note.title}` })
    : h("iframe", {
        src: page ? `${url}#page=${page}` : url,
        title: `The original of ${note.title}`,
      });
  shown.addEventListener("error", () =>
    section.replaceChildren(
      problem({ title: "It cannot be shown here.", words: "Download it instead." }),
    ),
  );
  section.replaceChildren(
    shown,
    h(
      "div",
      { class: "row" },
      !isPicture &&
        h(
          "a",
          { class: "button", href: url, target: "_blank", rel: "noopener" },
          "Open in its own tab",
        ),
      h(
        "button",
        { type: "button", onclick: () => section.replaceChildren() },
        "Hide the original",
      ),
    ),
  );
}

/** The original file; of a note that was written here, its text. */
async function download(note) {
  const { bytes, disposition } = await fetchOriginal(note);
  const url = URL.createObjectURL(bytes);
  h("a", { href: url, download: filename(disposition) ?? note.title }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

function filename(disposition) {
  const [, encoded] = /filename\*=UTF-8''([^;]+)/i.exec(disposition) ?? [];
  if (encoded) return decodeURIComponent(encoded);
  return /filename="?([^";]+)"?/i.exec(disposition)?.[1];
}
