/* A passage as search and answers show it. */

import { h } from "./dom.js";
import { day, details, excerpt, noteHref, place, sourceOf, tagLinks, time } from "./words.js";

const EXCERPT_UNITS = 420;

/** Which note, from when, where in it, and the text with the query's words marked. */
export function hit(passage, query) {
  const short = excerpt(passage.text.replace(/\s+/g, " "), query, EXCERPT_UNITS);
  const text = h("p", { class: "passage", dir: "auto" }, short.nodes);
  const expand = () => {
    text.classList.add("whole");
    text.replaceChildren(...excerpt(passage.text, query).nodes.filter(Boolean));
    text.setAttribute("tabindex", "-1");
    text.focus();
    whole.remove();
  };
  const whole =
    short.isCut &&
    h("button", { type: "button", class: "quiet", onclick: expand }, "Whole passage");
  return h(
    "li",
    null,
    h(
      "article",
      null,
      h(
        "h3",
        { dir: "auto" },
        h("a", { href: noteHref(passage.note_id, passage.location) }, passage.title),
      ),
      details(
        time(passage.date, day),
        place(passage.location, passage.title),
        tagLinks(passage.tags),
        passage.source && sourceOf(passage.source),
        h("span", { title: scores(passage.scores) }, `Score ${passage.score.toFixed(2)}`),
      ),
      text,
      whole,
    ),
  );
}

const scores = (found) =>
  Object.entries(found)
    .map(([name, value]) => `${name} ${value.toFixed(2)}`)
    .join(", ");
