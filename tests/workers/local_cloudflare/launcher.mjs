// One local Cloudflare: a Worker that speaks the v4 REST API over the real D1, R2 and Queues of
// workerd, and R2's S3 endpoint beside it, both behind one address.
//
//   node launcher.mjs MINIFLARE
//
// MINIFLARE is where the package's entry point is. The first line of stdin is the settings, JSON:
// {account, tokens, embedder, folder, port, resources}; see account.mjs. Port 0 is a free one. It
// prints one line, {"url": …}, when it is ready, and stops when its stdin closes.

import { once } from "node:events";
import { createInterface } from "node:readline";

import { openAccount } from "./account.mjs";
import { openFront } from "./front.mjs";

const lines = createInterface({ input: process.stdin });
const [line] = await once(lines, "line");
const settings = JSON.parse(line);
const closed = once(lines, "close");

const account = await openAccount(process.argv[2], settings);
try {
  const front = await openFront(account, settings.port);
  console.log(JSON.stringify({ url: front.url }));
  await closed;
  front.close();
} catch (error) {
  console.error(error.message); // the port is taken
  process.exitCode = 1;
}
await account.close();
process.exit();
