// What is made and removed in the account: the front takes the word for it out of the answer. The
// error codes are not all documented; clients go by the status.

import { Refusal } from "./envelope.mjs";

/** The answer, with the word that a record is to be put into one of the account's lists. */
export function putting(list, record, answer) {
  return saying({ list, put: record }, answer);
}

/** The answer, with the word that the record of an id is to be dropped from one of the lists. */
export function dropping(list, id, answer) {
  return saying({ list, drop: id }, answer);
}

function saying(change, answer) {
  answer.headers.set("local-change", JSON.stringify(change));
  return answer;
}

/** The present, as the API writes it. */
export function now() {
  return new Date().toISOString();
}

/** Refuses what is no name, or is one already. */
export function requireFreeName(name, isTaken, { form, taken }) {
  if (typeof name !== "string" || !form.test(name)) {
    throw new Refusal(400, 10001, `${JSON.stringify(name)} cannot be a name.`);
  }
  if (isTaken) throw taken;
}

/** A page of a list, and what is said of it. */
export function paged(request, found, describe) {
  const { searchParams } = new URL(request.url);
  const size = Number(searchParams.get("per_page") ?? 20);
  const page = Number(searchParams.get("page") ?? 1);
  const shown = found.slice((page - 1) * size, page * size).map(describe);
  const info = { page, per_page: size, count: shown.length, total_count: found.length };
  return [shown, info];
}
