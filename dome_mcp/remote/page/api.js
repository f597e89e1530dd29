/* The one way to the server: the token, the requests, and problems in words. */

const API = new URL("api/", document.baseURI);
const KEY = "dome.token";

/** Who is signed in; `me` is what GET /api/me says, `zone` their time zone where the browser knows it. */
export const session = { token: null, me: null, zone: undefined, signedOut: () => {} };

/** An answer that is no success: RFC 9457, or what can be said without one. */
export class Problem extends Error {
  constructor(status, body = {}) {
    super(body.detail || body.title || `The server answered ${status}.`);
    this.name = "Problem";
    this.status = status;
    this.title = body.title;
    this.hint = body.hint;
    this.errors = body.errors ?? [];
    this.reference = body.reference;
  }

  /** What happened and what to do about it, in one line. */
  get words() {
    const parts = [this.message === this.title ? "" : this.message, this.hint];
    parts.push(
      ...this.errors.map((each) => [each.location, each.message].filter(Boolean).join(": ")),
    );
    if (this.reference) parts.push(`Reference ${this.reference}.`);
    return parts.filter(Boolean).join(" ");
  }
}

export const unreachable = () =>
  new Problem(0, {
    title: "The server cannot be reached.",
    hint: "Look whether it runs and whether you are online.",
  });

/** The token that was kept; storage may be forbidden, and then nothing is. */
export function keptToken() {
  try {
    return sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

export function keepToken(token, onThisDevice) {
  session.token = token;
  try {
    (onThisDevice ? localStorage : sessionStorage).setItem(KEY, token);
  } catch {
    // It is in memory, which lasts until the page is left.
  }
}

export function forgetToken() {
  session.token = session.me = null;
  try {
    sessionStorage.removeItem(KEY);
    localStorage.removeItem(KEY);
  } catch {
    // Then nothing was kept.
  }
}

/** Whether the token has all of the scopes. */
export const can = (...scopes) => scopes.every((scope) => session.me?.scopes.includes(scope));

/** A key that makes a request safe to repeat. randomUUID would need https. */
export const idempotencyKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");

/** The address of a path with its parameters; those without a value are left out. */
export function address(path, params = {}) {
  const url = new URL(path, API);
  for (const [name, value] of Object.entries(params)) {
    for (const each of [value].flat()) if (each) url.searchParams.append(name, each);
  }
  return url;
}

export const authorization = () => ({ Authorization: `Bearer ${session.token}` });

/** The problem that an unsuccessful answer carries; a 401 ends the session as well. */
export function problemOf(status, text, retryAfter) {
  let body = {};
  try {
    body = JSON.parse(text);
  } catch {
    // A proxy may answer with a page of its own.
  }
  const problem = new Problem(status, body);
  if (retryAfter && (status === 429 || status === 503))
    problem.hint ??= `Try again in ${retryAfter} s.`;
  if (status === 401) session.signedOut(problem);
  return problem;
}

/** The response; raises the Problem of anything but success. `body` is sent as JSON. */
export async function open(method, path, { params, body, headers, signal } = {}) {
  const sent = { ...authorization(), ...headers };
  if (body !== undefined) sent["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(address(path, params), {
      method,
      signal,
      headers: sent,
      body: body && JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
    });
  } catch (error) {
    throw error.name === "AbortError" ? error : unreachable();
  }
  if (!response.ok)
    throw problemOf(response.status, await response.text(), response.headers.get("Retry-After"));
  return response;
}

/** The JSON of the answer; null where there is none. */
export async function call(method, path, options) {
  const response = await open(method, path, options);
  return response.status === 204 ? null : response.json();
}

export const get = (path, params, signal) => call("GET", path, { params, signal });

/** The server-sent events of an answer, as {event, data}. */
export async function* events(path, body, signal) {
  const response = await open("POST", path, {
    body,
    signal,
    headers: { Accept: "text/event-stream" },
  });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let unread = "";
  for (;;) {
    let piece;
    try {
      piece = await reader.read();
    } catch (error) {
      throw error.name === "AbortError" ? error : unreachable();
    }
    if (piece.done) return;
    const blocks = (unread + piece.value).split(/\r?\n\r?\n/);
    unread = blocks.pop();
    yield* blocks.map(eventOf).filter((event) => event.data);
  }
}

function eventOf(block) {
  const event = { event: "message", data: "" };
  for (const line of block.split(/\r?\n/)) {
    const [, name, value] = /^(event|data): ?(.*)$/s.exec(line) ?? [];
    if (name === "event") event.event = value;
    if (name === "data") event.data += event.data ? `\n${value}` : value;
  }
  if (event.data) event.data = JSON.parse(event.data);
  return event;
}
