/* What is stored, how far the index is, and what is not as it should be. */

import { can, get } from "./api.js";
import { h } from "./dom.js";
import { moment, plural, time } from "./words.js";

export const title = "Status";
export const needs = ["notes:read"];
export const purpose = "see the status";

const HEALTH = { ok: "All is well", degraded: "Some things need a look", down: "DOME cannot work" };
const UNITS = ["B", "kB", "MB", "GB", "TB"];

export async function show({ root, signal }) {
  root.append(h("h1", null, "Status"));
  const status = await get("status", {}, signal);
  root.append(
    h("p", { class: "lead" }, HEALTH[status.health] ?? status.health),
    ...(status.warnings ?? []).map((text) => h("p", { class: "notice warn" }, text)),
    figures(status),
    facts(status),
    ...labels("Tags", "tags", status.tags, "#"),
    ...labels("Contexts", "context", status.contexts, ""),
  );
}

const figures = (status) =>
  h(
    "ul",
    { class: "figures" },
    [
      ["note", status.notes],
      ["passage", status.chunks],
      ["waiting for the index", status.embedding_model ? status.pending_chunks : undefined],
    ]
      .filter(([, count]) => count !== undefined)
      .map(([name, count]) =>
        h(
          "li",
          null,
          h("strong", null, count.toLocaleString("en-GB")),
          " ",
          count === 1 || name.includes(" ") ? name : `${name}s`,
        ),
      ),
  );

function facts(status) {
  const pairs = [
    ["Index", index(status)],
    ["Answers", status.language_model ?? "In the words of your notes; no language model is set."],
    can("tasks:read") && ["Reminders", companion(status.companion)],
    ["Time zone", status.timezone],
    [
      "On disk",
      status.bytes &&
        Object.entries(status.bytes)
          .map(([name, bytes]) => `${name} ${size(bytes)}`)
          .join(", "),
    ],
    [
      "Versions",
      status.versions &&
        Object.entries(status.versions)
          .map(([name, version]) => `${name} ${version}`)
          .join(", "),
    ],
  ];
  return h(
    "dl",
    { class: "facts card" },
    pairs
      .filter((pair) => pair && pair[1])
      .map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))),
  );
}

function index(status) {
  if (!status.embedding_model) return "By words only; no model for meaning is set.";
  const behind = status.pending_chunks
    ? `${plural(status.pending_chunks, "passage")} to go`
    : "up to date";
  return `By words and meaning (${status.embedding_model}${status.embedding_model_loaded ? "" : ", loading"}), ${behind}`;
}

function companion(state) {
  if (!state) return null;
  const errors = (state.last_errors ?? []).map((text) => h("p", { class: "failed" }, String(text)));
  const seen = state.last_beat ? ["; seen ", time(state.last_beat, moment)] : "";
  return [
    state.running ? "The companion runs" : "No companion runs now",
    seen,
    ". ",
    ...errors,
  ].flat();
}

function size(bytes) {
  let unit = 0;
  for (; bytes >= 1000 && unit < UNITS.length - 1; unit++) bytes /= 1000;
  return `${bytes < 10 && unit ? bytes.toFixed(1) : Math.round(bytes)} ${UNITS[unit]}`;
}

function labels(name, parameter, counts, sign) {
  const entries = Object.entries(counts ?? {});
  if (!entries.length) return [];
  return [
    h("h2", null, name),
    h(
      "p",
      { class: "labels" },
      entries.map(([label, count]) =>
        h(
          "a",
          {
            class: "tag",
            dir: "auto",
            href: `#/search?${new URLSearchParams({ [parameter]: label })}`,
          },
          `${sign}${label} `,
          h("small", null, count),
        ),
      ),
    ),
  ];
}
