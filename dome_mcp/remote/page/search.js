/* Searching, browsing and asking. */

import { answerPanel } from "./answer.js";
import { can, get } from "./api.js";
import { announce, button, field, form, h, input, problem } from "./dom.js";
import { hit } from "./passages.js";
import { day, details, list, noteHref, plural, tagLinks, time } from "./words.js";

export const title = "Search";
export const needs = ["notes:read"];
export const purpose = "read notes";

const FILTERS = ["tags", "context", "since", "until"];
const MODES = { hybrid: "Meaning and words", keyword: "Words", semantic: "Meaning" };
const REMEMBERED = 20;

/** What each address showed, so that the way back needs no second search and no second answer. */
const remembered = new Map();
let isAskedAnew = false;

/** Forgets every result: they are somebody else's, or no longer true. */
export const forget = () => remembered.clear();

export async function show({ root, params, signal, titled }) {
  const query = params.get("q") ?? "";
  if (query) titled(`${query} · Search`);
  const results = h("section", { class: "results", "aria-label": "Results" });
  root.append(
    h("h1", { class: query ? "unseen" : "" }, "Search your notes"),
    searchForm(params),
    results,
  );
  root.querySelector("#query").focus();
  const known = !isAskedAnew && remembered.get(location.hash);
  isAskedAnew = false;
  if (known) {
    results.append(...known.nodes);
    requestAnimationFrame(() => window.scrollTo(0, known.scroll));
  }
  rememberOnLeaving(results, signal);
  if (known) return;
  if (query && params.get("ask")) await answerPanel(results, question(params), { signal, again });
  else if (query) await firstPage(results, params, signal);
  else await browse(results, params, signal);
}

function rememberOnLeaving(results, signal) {
  const hash = location.hash;
  let scroll = 0;
  window.addEventListener("scroll", () => (scroll = window.scrollY), { signal, passive: true });
  signal.addEventListener("abort", () => {
    // What was cut short or went wrong is asked for again.
    if (!can(...needs) || results.ariaBusy === "true" || results.querySelector(".problem")) return;
    remembered.delete(hash);
    remembered.set(hash, { nodes: [...results.childNodes], scroll });
    if (remembered.size > REMEMBERED) remembered.delete(remembered.keys().next().value);
  });
}

function question(params) {
  const asked = { question: params.get("q"), stream: true };
  for (const name of FILTERS) if (params.get(name)) asked[name] = params.get(name);
  if (asked.tags) asked.tags = list(asked.tags);
  return asked;
}

function searchForm(params) {
  const query = input({
    type: "search",
    id: "query",
    name: "q",
    value: params.get("q") ?? "",
    enterkeyhint: "search",
    placeholder: "Words or a question",
    "aria-label": "What to look for",
    maxlength: 2000,
  });
  const mode = h(
    "select",
    { name: "mode" },
    Object.entries(MODES).map(([value, label]) => h("option", { value }, label)),
  );
  mode.value = params.get("mode") ?? "hybrid";
  const filters = FILTERS.map((name) => params.get(name)).filter(Boolean);
  const element = form(
    { class: "search-form", role: "search" },
    async (pressed) => go(element, pressed === "ask"),
    h(
      "div",
      { class: "box" },
      query,
      h("button", { class: "primary", value: "search" }, "Search"),
      h("button", { value: "ask", title: "Ctrl+Enter" }, "Ask"),
    ),
    h(
      "details",
      { open: filters.length > 0 || mode.value !== "hybrid" },
      h("summary", null, filters.length ? `Filters (${filters.length})` : "Filters"),
      h(
        "div",
        { class: "grid" },
        field("Search by", mode),
        field(
          "Tags",
          input({ name: "tags", value: params.get("tags") ?? "", placeholder: "travel, work" }),
        ),
        field("Context", input({ name: "context", value: params.get("context") ?? "" })),
        field(
          "Since",
          h("input", { type: "date", name: "since", value: params.get("since") ?? "" }),
        ),
        field(
          "Until",
          h("input", { type: "date", name: "until", value: params.get("until") ?? "" }),
        ),
      ),
    ),
  );
  query.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    event.stopPropagation();
    go(element, true);
  });
  return element;
}

/** Puts what the form says into the address; the address brings the results. */
function go(element, isQuestion) {
  const values = new URLSearchParams();
  for (const [name, value] of new FormData(element)) {
    if (value.trim() && !(name === "mode" && value === "hybrid")) values.set(name, value.trim());
  }
  if (isQuestion && values.has("q")) values.set("ask", "1");
  const hash = `#/search${values.size ? `?${values}` : ""}`;
  isAskedAnew = true;
  if (hash === location.hash) again();
  else location.hash = hash;
}

/** Shows the same address once more, from the server. */
function again() {
  isAskedAnew = true;
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}

/** Fills the section page by page; `page` gives {items, next_cursor, before}. */
async function pages(results, fetchPage, said, signal) {
  const items = h("ol", { class: "hits" });
  let count = 0;
  const more = async (cursor) => {
    results.ariaBusy = "true";
    const page = await fetchPage(cursor);
    results.ariaBusy = "false";
    const first = page.items[0];
    items.append(...page.items);
    count += page.items.length;
    const text = said(count, Boolean(page.next_cursor));
    results.replaceChildren(...page.before, text && h("p", { class: "count" }, text), items);
    announce(text || (results.querySelector(".empty")?.innerText ?? ""));
    if (page.next_cursor)
      results.append(button("More", () => more(page.next_cursor), { class: "wide" }));
    if (cursor) first?.querySelector("a").focus();
  };
  results.append(h("p", { class: "count" }, "Looking …"));
  try {
    await more();
  } catch (error) {
    if (signal.aborted) throw error;
    results.replaceChildren(unavailable(error));
  }
}

function firstPage(results, params, signal) {
  const query = params.get("q");
  const sent = {
    q: query,
    mode: params.get("mode"),
    limit: 10,
    tags: list(params.get("tags") ?? ""),
  };
  for (const name of ["context", "since", "until"]) sent[name] = params.get(name);
  const isFiltered = FILTERS.some((name) => params.get(name));
  const fetchPage = async (cursor) => {
    const found = await get("search", { ...sent, cursor }, signal);
    const isBehind = found.index_state !== "ready";
    const before = [h("h2", { class: "unseen" }, "Results"), isBehind && behind(found.index_state)];
    if (!cursor && !found.passages.length) before.push(nothing(query, isFiltered, isBehind));
    return {
      ...found,
      before: before.filter(Boolean),
      items: found.passages.map((each) => hit(each, query)),
    };
  };
  const said = (count, hasMore) =>
    count ? `${hasMore ? "The first " : ""}${plural(count, "passage")}` : "";
  return pages(results, fetchPage, said, signal);
}

function browse(results, params, signal) {
  const sent = { limit: 20, tags: list(params.get("tags") ?? "") };
  for (const name of ["context", "since", "until"]) sent[name] = params.get(name);
  const isFiltered = FILTERS.some((name) => params.get(name));
  const fetchPage = async (cursor) => {
    const found = await get("notes", { ...sent, cursor }, signal);
    const before = [];
    if (!cursor && !found.notes.length) before.push(isFiltered ? nothing("", true) : welcome());
    else before.push(h("h2", null, isFiltered ? "These notes" : "Newest notes"));
    return { ...found, before, items: found.notes.map(summary) };
  };
  return pages(results, fetchPage, () => "", signal);
}

const summary = (note) =>
  h(
    "li",
    null,
    h(
      "article",
      { class: "brief" },
      h("h3", { dir: "auto" }, h("a", { href: noteHref(note.note_id) }, note.title)),
      details(
        time(note.date, day),
        note.context && h("span", { dir: "auto" }, note.context),
        tagLinks(note.tags),
      ),
    ),
  );

const nothing = (query, isFiltered, isBehind) =>
  h(
    "section",
    { class: "empty" },
    h("h2", null, query ? "No passage matches" : "No note matches"),
    h(
      "p",
      null,
      isBehind
        ? "What is not indexed yet cannot be found by meaning; try the exact words, or again soon."
        : isFiltered
          ? "The filters may be too narrow."
          : "Try other words, or fewer.",
    ),
  );

const behind = (state) =>
  h("p", { class: "notice warn" }, h("strong", null, "The index is behind."), ` ${state}`);

function unavailable(error) {
  const isOutage = error.status === 0 || error.status >= 500;
  const shown = problem(error, again);
  if (isOutage)
    shown.prepend(
      h("p", null, "Your notes could not be searched. This does not mean that there is no match."),
    );
  return shown;
}

function welcome() {
  return h(
    "section",
    { class: "empty" },
    h("h2", null, "Nothing here yet"),
    can("notes:write")
      ? h(
          "p",
          null,
          h("a", { href: "#/add" }, "Add your first note"),
          ", or drop a file anywhere on this page.",
        )
      : h("p", null, "This token may read notes, and there are none yet."),
  );
}
