// Vectors as they come to Vectorize and are given back.
// Source: https://developers.cloudflare.com/vectorize/platform/limits/ (2026-09).

import { Refusal } from "./envelope.mjs";

const MAX_METADATA_BYTES = 10_240;
const MAX_NAME_BYTES = 64;

const BAD_INPUT = 40006;

const bytes = (text) => new TextEncoder().encode(text).length;

/** Refuses what was sent unless this holds. */
export function require(holds, message, code = BAD_INPUT) {
  if (!holds) throw new Refusal(400, code, message);
}

/** A vector as it is shown: by its id, with what was asked for. */
export function shown({ id, namespace, metadata, indexed, floats }, returnMetadata, returnValues) {
  const parts = { all: metadata, indexed };
  const where = namespace === "" ? {} : { namespace };
  const what = returnMetadata in parts ? { metadata: JSON.parse(parts[returnMetadata]) } : {};
  const values = returnValues ? { values: [...new Float32Array(floats)] } : {};
  return { id, ...where, ...what, ...values };
}

/** A line of an upsert as JSON. */
export function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    throw new Refusal(400, BAD_INPUT, "A line is not valid JSON.");
  }
}

/** Refuses a vector that the index does not take. */
export function checkVector({ id, values, namespace = "", metadata = {} }, dimensions) {
  const isId = typeof id === "string" && id !== "" && bytes(id) <= MAX_NAME_BYTES;
  require(isId, "An id is not valid.");
  require(bytes(namespace) <= MAX_NAME_BYTES, "A namespace is too long.");
  require(values?.length === dimensions, `The index has ${dimensions} dimensions.`);
  require(bytes(JSON.stringify(metadata)) <= MAX_METADATA_BYTES, "The metadata is too large.");
  const isKey = (key) => key !== "" && !/^\$|[."]/.test(key);
  require(Object.keys(metadata).every(isKey), "A metadata key is not valid.");
}

/** The cosine of two vectors, 0 where one has no length. */
export function cosine(one, other) {
  let product = 0;
  let ones = 0;
  let others = 0;
  for (let place = 0; place < one.length; place += 1) {
    product += one[place] * other[place];
    ones += one[place] ** 2;
    others += other[place] ** 2;
  }
  return ones === 0 || others === 0 ? 0 : product / Math.sqrt(ones * others);
}
