// The address that clients know. It passes every request on to workerd and writes it down; where
// the Worker says in a header of its answer that something was made or removed, the answer is given
// once that is so, and nothing else is passed on meanwhile.
//
// GET /local/calls lists the requests as "POST /d1/database/…", without those under /local/, and
// DELETE /local/calls forgets them.

import { once } from "node:events";
import { createServer, request as ask } from "node:http";
import { buffer } from "node:stream/consumers";

const CHANGE = "local-change";
const ACCOUNT = /^\/client\/v4(\/accounts\/[^/]+)?/;
const S3 = "/cdn-cgi/local/r2/s3";

/** Listens on a port for an account; `url` is where, `close` ends it. */
export async function openFront(account, port) {
  const calls = [];
  const passing = passingTo(account);

  async function answer(request, response) {
    if (request.url === "/local/calls") return tell(request, response, calls);
    if (!request.url.startsWith("/local/")) calls.push(named(request));
    const { status, headers, content } = await passing(request, await buffer(request));
    response.writeHead(status, headers).end(content);
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error) => {
      console.error(error);
      response.destroy();
    });
  });
  server.keepAliveTimeout = 60_000; // a pool's idle connections outlive its pauses
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function named({ method, url }) {
  const [path] = url.split("?");
  return `${method} ${path.replace(ACCOUNT, "").replace(S3, "/s3")}`;
}

function tell({ method }, response, calls) {
  if (method === "DELETE") calls.length = 0;
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(calls));
}

/** Passes requests on, side by side, but for the moments when the account changes. */
function passingTo(account) {
  const underWay = new Set();
  let change = null;

  async function carryOut(said) {
    await Promise.allSettled(underWay);
    await account.change(said);
  }

  async function free() {
    while (change !== null) await change; // after the one waited for there may be a next
  }

  return async (request, body) => {
    await free();
    const answering = forwarded(request, body, account.url);
    underWay.add(answering);
    const answer = await answering.finally(() => underWay.delete(answering));
    const { [CHANGE]: said, ...headers } = answer.headers;
    if (said !== undefined) {
      await free();
      change = carryOut(JSON.parse(said)).finally(() => {
        change = null;
      });
      await change;
    }
    return { ...answer, headers };
  };
}

/** What workerd answers; the Host stays the client's, as signatures cover it. */
async function forwarded({ method, url: path, headers }, body, { hostname, port }) {
  const { "transfer-encoding": _, connection: __, ...sent } = headers;
  const length = body.length > 0 ? { "content-length": body.length } : {};
  const options = { hostname, port, method, path, headers: { ...sent, ...length } };
  // A connection of its own: workerd may close an idle one in the moment it is used again.
  const asked = ask({ ...options, agent: false });
  // once() listens until the answer is there; what breaks after that is the body nobody waits for.
  asked.on("error", () => {});
  asked.end(body);
  const [answer] = await once(asked, "response");
  const content = await buffer(answer);
  const { "transfer-encoding": chunked, connection, ...kept } = answer.headers;
  return { status: answer.statusCode, headers: kept, content };
}
