/* An answer from the notes: shown as it comes, replaced by the checked one, cited. */

import { events, Problem } from "./api.js";
import { announce, h, problem } from "./dom.js";
import { hit } from "./passages.js";
import { day, details, noteHref, place, plural, time } from "./words.js";

/** Asks, and shows the answer in `results` while it is being written. */
export async function answerPanel(results, question, { signal, again }) {
  const text = h("p", { class: "answer-text", dir: "auto", "aria-busy": "true" });
  const state = h("p", { class: "count" }, "Reading your notes …");
  const panel = h(
    "section",
    { class: "card answer", "aria-labelledby": "answer" },
    h("h2", { id: "answer" }, "Answer"),
    text,
    state,
  );
  results.ariaBusy = "true";
  results.append(panel);
  try {
    const answer = await streamed(question, { text, state, signal });
    results.replaceChildren(
      h("section", { class: "card answer", "aria-labelledby": "answer" }, finished(answer)),
      ...evidence(answer, question.question),
    );
    results.ariaBusy = "false";
    announce(`${answer.answered ? "The answer" : "No answer"}: ${answer.answer}`);
  } catch (error) {
    if (signal.aborted) throw error;
    state.remove();
    text.removeAttribute("aria-busy");
    panel.append(problem(error, again));
  }
}

async function streamed(question, { text, state, signal }) {
  for await (const { event, data } of events("chat", question, signal)) {
    if (event === "passages") {
      const passages = data.passages ?? data;
      state.textContent = `Writing from ${plural(passages.length, "passage")} …`;
    }
    if (event === "delta") text.append(data.text);
    if (event === "error") throw new Problem(data.status, data);
    if (event === "answer" || event === "message") return data;
  }
  throw new Problem(0, { title: "The answer broke off.", hint: "Ask again." });
}

function finished(answer) {
  const cited = new Map(answer.citations.map((citation) => [citation.n, citation]));
  return [
    h("h2", { id: "answer" }, answer.answered ? "Answer" : "Your notes do not answer this"),
    h("p", { class: "answer-text", dir: "auto" }, withMarkers(answer.answer, cited)),
    (answer.warnings ?? []).map((warning) => h("p", { class: "notice warn" }, warning)),
    cited.size > 0 && h("h3", null, "Sources"),
    cited.size > 0 && h("ol", { class: "citations" }, answer.citations.map(source)),
    h("p", { class: "count" }, making(answer)),
  ].flat();
}

/** What made the answer, how sure it is of it, and how long that took. */
function making(answer) {
  const by =
    answer.model === "extractive"
      ? "In the words of your notes."
      : `Written by ${answer.model} from your notes. Check what matters.`;
  const sure = answer.answered ? [`Confidence ${Math.round(100 * answer.confidence)} %`] : [];
  const took = answer.milliseconds;
  const seconds = took ? [`${((took.search + took.answer) / 1000).toFixed(1)} s`] : [];
  return `${by} ${[...sure, ...seconds].join(", ")}`.trim();
}

/** The text with each [n] a link to the n-th source. */
function withMarkers(text, cited) {
  return text.split(/(\[\d+(?:\s*,\s*\d+)*\])/).flatMap((part) => {
    if (!/^\[[\d\s,]+\]$/.test(part)) return part;
    const numbers = part.slice(1, -1).split(",").map(Number);
    return numbers.every((n) => cited.has(n)) ? numbers.map((n) => marker(cited.get(n))) : part;
  });
}

/** A click shows the source below; opened in a new tab it is the note at that place. */
function marker(citation) {
  const { n, title } = citation;
  return h(
    "a",
    {
      class: "marker",
      href: quoted(citation),
      title,
      "aria-label": `Source ${n}`,
      onclick: (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        const link = document.querySelector(`#source-${n} a`);
        link.scrollIntoView({ block: "center" });
        link.focus();
      },
    },
    `[${n}]`,
  );
}

/** Where the quote stands, which may be less than its passage. */
const quoted = ({ note_id: noteId, start, end, location: { page } }) =>
  noteHref(noteId, { start, end, page });

const source = (citation) =>
  h(
    "li",
    { id: `source-${citation.n}`, value: citation.n },
    h("a", { dir: "auto", href: quoted(citation) }, citation.title),
    details(time(citation.date, day), place(citation.location, citation.title)),
    h("blockquote", { dir: "auto" }, citation.quote),
  );

/** What the answer was made from; without an answer, the closest there is. */
function evidence(answer, query) {
  if (!answer.passages.length) return [];
  const items = h(
    "ol",
    { class: "hits" },
    answer.passages.map((passage) => hit(passage, query)),
  );
  if (!answer.answered) return [h("h2", null, "The closest passages"), items];
  return [
    h(
      "details",
      null,
      h("summary", null, `All ${plural(answer.passages.length, "passage")} that were read`),
      items,
    ),
  ];
}
