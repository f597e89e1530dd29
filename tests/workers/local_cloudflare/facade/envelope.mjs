// The v4 envelope. Source: https://developers.cloudflare.com/api/ (2026-11).

/** An answer that went well. */
export function success(result, resultInfo) {
  const info = resultInfo === undefined ? {} : { result_info: resultInfo };
  return Response.json({ success: true, errors: [], messages: [], result, ...info });
}

/** An answer that did not. */
export function failure(status, code, message) {
  const body = { success: false, errors: [{ code, message }], messages: [], result: null };
  return Response.json(body, { status });
}

/** What a handler throws for an answer that is not what was asked for. */
export class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }

  get response() {
    return failure(this.status, this.code, this.message);
  }
}

export const NO_ROUTE = 7003;

/** Refuses a path or a method that nothing answers. */
export function noRoute() {
  return new Refusal(404, NO_ROUTE, "Could not route to this, perhaps an identifier is invalid?");
}

/** The body as JSON. */
export async function readJson(request) {
  try {
    return await request.json();
  } catch {
    throw new Refusal(400, 10001, "The request body is not valid JSON.");
  }
}
