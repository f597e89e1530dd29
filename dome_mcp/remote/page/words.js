/* Dates, places and the query's words, as people read them. */

import { session } from "./api.js";
import { h } from "./dom.js";

const locale = navigator.language.startsWith("en") ? navigator.language : "en-GB";
const formats = new Map();

function formatted(iso, options) {
  const key = `${session.zone} ${JSON.stringify(options)}`;
  if (!formats.has(key))
    formats.set(key, new Intl.DateTimeFormat(locale, { ...options, timeZone: session.zone }));
  return formats.get(key).format(new Date(iso));
}

/** The zone if this browser knows it; else times are shown in the browser's own. */
export function knownZone(name) {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

/** `24 Nov 2026`, in the user's zone. */
export const day = (iso) => formatted(iso, { day: "numeric", month: "short", year: "numeric" });

/** `Tue 24 Nov, 09:00`, in the user's zone. */
export const moment = (iso) =>
  formatted(iso, {
    weekday: "short",
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
    hour12: false,
  });

export const clock = (iso) => formatted(iso, { hour: "2-digit", minute: "2-digit", hour12: false });

/** The user's own date of an instant, `2026-11-24`: dates compare as text. */
export const localDate = (instant) =>
  new Intl.DateTimeFormat("sv-SE", { timeZone: session.zone }).format(new Date(instant));

/** What a datetime-local field takes: the user's own wall time, `2026-11-24T09:00`. */
export const wallTime = (instant) =>
  new Intl.DateTimeFormat("sv-SE", {
    timeZone: session.zone,
    dateStyle: "short",
    timeStyle: "short",
  })
    .format(instant)
    .replace(" ", "T");

export const time = (iso, words) => h("time", { datetime: iso }, words(iso));

export const plural = (count, one, many = `${one}s`) =>
  `${count.toLocaleString(locale)} ${count === 1 ? one : many}`;

export const list = (text) =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean);

/** A link where the source is an address, else its words. */
export function sourceOf(source) {
  if (!/^https?:\/\//i.test(source)) return h("span", { dir: "auto", class: "source" }, source);
  return h(
    "a",
    { href: source, class: "source", target: "_blank", rel: "noopener noreferrer" },
    source.replace(/^https?:\/\/(www\.)?/i, ""),
  );
}

export const tagLinks = (tags) =>
  tags.map((tag) =>
    h(
      "a",
      { class: "tag", dir: "auto", href: `#/search?${new URLSearchParams({ tags: tag })}` },
      `#${tag}`,
    ),
  );

/** The parts of a line of details, with dots between those there are. */
export const details = (...parts) =>
  h(
    "p",
    { class: "meta" },
    parts
      .flat()
      .filter(Boolean)
      .map((part) => h("span", null, part)),
  );

/** `p. 3` and the heading; a heading that only repeats the title says nothing. */
export const place = (location, title) => [
  location.page && `p. ${location.page}`,
  location.heading && location.heading !== title && h("span", { dir: "auto" }, location.heading),
];

/** The address of a note, perhaps at a place in its text and a page of its original. */
export function noteHref(noteId, { start, end, page } = {}) {
  const place = end ? `?start=${start}&end=${end}${page ? `&page=${page}` : ""}` : "";
  return `#/note/${encodeURIComponent(noteId)}${place}`;
}

/** Offsets count characters; a JavaScript string counts UTF-16 units, two for an emoji. */
export function unitsOf(text, characters) {
  let units = 0;
  for (let seen = 0; seen < characters && units < text.length; seen++) {
    units += text.codePointAt(units) > 0xffff ? 2 : 1;
  }
  return units;
}

const STOP = new Set(
  "a an and are as at be by did do does for from had has have how i in is it my of on or that the their there this to was we were what when where which who why will with you your".split(
    " ",
  ),
);
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Khmer}\p{Script=Lao}]/u;

/** Without accents and case, unit by unit, so that offsets stay what they are. */
const fold = (text) => text.replace(/[^\0-\x7f]/g, bare).toLowerCase();

function bare(unit) {
  const parts = unit.normalize("NFD");
  // Hangul comes apart as well, but into letters.
  return /^.\p{M}+$/u.test(parts) ? parts[0] : unit;
}

/** A pattern for the query's telling words, in whatever form they end; null without any. */
export function pattern(query) {
  const segments = [...new Intl.Segmenter(undefined, { granularity: "word" }).segment(fold(query))];
  const words = segments.filter((part) => part.isWordLike).map((part) => part.segment);
  const telling = words.filter((word) => !STOP.has(word));
  const forms = new Set((telling.length ? telling : words).map(form));
  return forms.size ? new RegExp([...forms].join("|"), "gu") : null;
}

function form(word) {
  if (UNSPACED.test(word)) return word;
  const stem = word.length > 4 ? word.replace(/(ing|ies|ied|es|ed|s|e|y)$/, "") : word;
  const escaped = stem.replace(/[^\p{L}\p{M}\p{N}]/gu, "\\$&");
  return `(?<![\\p{L}\\p{N}])${escaped}\\p{L}{0,4}(?![\\p{L}\\p{N}])`;
}

/** About `width` units around the first of the query's words, its words marked. */
export function excerpt(text, query, width = Infinity) {
  const found = pattern(query);
  const hits = found ? [...fold(text).matchAll(found)] : [];
  const first = hits[0]?.index ?? 0;
  let start =
    text.length > width ? Math.max(0, Math.min(first - width / 4, text.length - width)) : 0;
  if (start > 0) start = text.indexOf(" ", start) + 1 || start;
  const cut = text.length > start + width ? text.lastIndexOf(" ", start + width) : text.length;
  const end = cut > start ? cut : Math.min(text.length, start + width);
  const nodes = [start > 0 && "… "];
  let at = start;
  for (const hit of hits) {
    const stop = hit.index + hit[0].length;
    if (hit.index < at || stop > end) continue;
    nodes.push(text.slice(at, hit.index), h("mark", null, text.slice(hit.index, stop)));
    at = stop;
  }
  nodes.push(text.slice(at, end), end < text.length && " …");
  return { nodes, isCut: start > 0 || end < text.length };
}
