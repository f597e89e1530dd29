// Vectorize's metadata filters: what is indexed of a vector's metadata, and whether it matches.
// Source: https://developers.cloudflare.com/vectorize/reference/metadata-filtering/ (2026-09).

const MAX_FILTER_BYTES = 2048;
const INDEXED_BYTES = 64;

const SCALARS = ["string", "number", "boolean"];

const isScalar = (value) => value === null || SCALARS.includes(typeof value);
const isOrdered = (value) => ["string", "number"].includes(typeof value);
const isList = (value) => Array.isArray(value) && value.every(isScalar);

const alike = (one, other) => typeof one === typeof other;

const OPERATORS = {
  $eq: { takes: isScalar, holds: (value, wanted) => value === wanted },
  $ne: { takes: isScalar, holds: (value, wanted) => value !== wanted },
  $in: { takes: isList, holds: (value, wanted) => wanted.includes(value) },
  $nin: { takes: isList, holds: (value, wanted) => !wanted.includes(value) },
  $lt: { takes: isOrdered, holds: (value, bound) => alike(value, bound) && value < bound },
  $lte: { takes: isOrdered, holds: (value, bound) => alike(value, bound) && value <= bound },
  $gt: { takes: isOrdered, holds: (value, bound) => alike(value, bound) && value > bound },
  $gte: { takes: isOrdered, holds: (value, bound) => alike(value, bound) && value >= bound },
};
const UPPER = new Set(["$lt", "$lte"]);
const LOWER = new Set(["$gt", "$gte"]);

/** The metadata that filters see: the properties that have an index, strings cut to 64 bytes. */
export function indexedPart(metadata, properties) {
  const indexed = {};
  for (const { name, type } of properties) {
    const value = name.split(".").reduce((part, key) => part?.[key], metadata);
    if (typeof value === type) indexed[name] = type === "string" ? cut(value) : value;
  }
  return indexed;
}

function cut(text) {
  const bytes = new TextEncoder().encode(text).slice(0, INDEXED_BYTES);
  return new TextDecoder().decode(bytes, { stream: true }); // leaves out half a character
}

/** The conditions `[property, operator, wanted]` of a filter, or null where it is not one. */
export function parseFilter(filter) {
  const isObject = typeof filter === "object" && filter !== null && !Array.isArray(filter);
  if (!isObject || Object.keys(filter).length === 0) return null;
  if (new TextEncoder().encode(JSON.stringify(filter)).length >= MAX_FILTER_BYTES) return null;
  const conditions = [];
  for (const [property, wanted] of Object.entries(filter)) {
    const operations = isScalar(wanted) ? { $eq: wanted } : wanted;
    const names = Object.keys(operations);
    if (Array.isArray(operations) || !mayStandTogether(names)) return null;
    for (const name of names) {
      if (!OPERATORS[name]?.takes(operations[name])) return null;
      conditions.push([property, OPERATORS[name].holds, operations[name]]);
    }
  }
  return conditions;
}

/** One operator on a property, or a lower bound together with an upper one. */
function mayStandTogether(names) {
  if (names.length === 1) return true;
  const isRange = names.some((name) => UPPER.has(name)) && names.some((name) => LOWER.has(name));
  return names.length === 2 && isRange;
}

/** Whether all conditions hold; a property that was not indexed fails every condition. */
export function matches(indexed, conditions) {
  return conditions.every(([property, holds, wanted]) => {
    return property in indexed && holds(indexed[property], wanted);
  });
}
