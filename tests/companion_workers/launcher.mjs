// Python Workers as they are deployed, in workerd on this machine, on the same D1, R2 and Queues.
//
//   node launcher.mjs PACKAGES
//
// PACKAGES is the node_modules that wrangler is in. The first line of stdin is the settings, JSON:
// {workers: [{folder, vars}, …], data, remote, port}; each folder has a wrangler.jsonc and what bundle.py wrote
// beside it, `data` is where rows, blobs and messages go, and `remote` the address that answers for
// Workers AI and Vectorize, which are nowhere on this machine. The first Worker is served over HTTP. One
// line, {"url": …}, says that all are ready. Each further line of stdin, {scheduled, time, count},
// dispatches the cron of the Worker of that name at `time` (ms), `count` times at once, and is
// answered with a line, {"outcomes": […]}. A line {} ends workerd in the middle of what it is at,
// messages that wait on queues with it, and starts it anew; the answer is {}. It stops when its
// stdin closes.

import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative, sep } from "node:path";
import { createInterface } from "node:readline";

const require = createRequire(join(process.argv[2], "wrangler", "package.json"));
const wrangler = require("wrangler");
const { Miniflare, Log, LogLevel, convertV4MiniflareOptions } = require("miniflare");

/** The files below a folder as modules, named by their place in it. */
const modulesOf = (folder, prefix, type) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => ({
      type: file.endsWith(".js") ? "ESModule" : type,
      path: join("/", prefix, relative(folder, file)),
      contents: readFileSync(file),
    }));

const workerOf = ({ folder, vars, route }) => {
  Object.assign(process.env, vars); // wrangler looks for required secrets there, and warns
  const config = wrangler.unstable_readConfig({ config: join(folder, "wrangler.jsonc") });
  for (const binding of config.vectorize) binding.remote = true; // an AI binding always is
  const { workerOptions } = wrangler.unstable_getMiniflareWorkerOptions(config, undefined, {
    remoteProxyConnectionString: new URL(settings.remote),
  });
  const own = modulesOf(join(folder, "build"), "", "PythonModule");
  const [entry] = own.filter(({ path }) => path === `${sep}entry.py`);
  return {
    ...workerOptions,
    name: config.name,
    routes: route ? [route] : [],
    // The bundle of Pyodide that is made here, instead of the one that would be downloaded.
    compatibilityFlags: [...workerOptions.compatibilityFlags, "python_workers_development"],
    bindings: { ...workerOptions.bindings, ...vars },
    modulesRoot: "/",
    modules: [
      entry, // the first is the one that enters
      ...own.filter((module) => module !== entry),
      ...modulesOf(join(folder, "python_modules"), "python_modules", "Data"),
    ],
  };
};

// Standard output is for the answers below; what wrangler says on it goes beside.
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr);
const say = (answer) => write(`${JSON.stringify(answer)}\n`);

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const settings = JSON.parse((await lines.next()).value);
const options = convertV4MiniflareOptions({
  host: "127.0.0.1",
  port: settings.port,
  cf: false,
  log: new Log(LogLevel.ERROR),
  logRequests: false,
  unsafeLocalExplorer: true, // lists the mail that was sent
  handleStructuredLogs: ({ message }) => console.error(message),
  resourcePersistencePath: settings.data,
  workers: settings.workers.map(workerOf),
});
const miniflare = new Miniflare(options);

const url = await miniflare.ready;
say({ url: url.origin });
for await (const line of lines) {
  const { scheduled, time, count } = JSON.parse(line);
  if (scheduled === undefined) {
    await miniflare.setOptions(options); // kills workerd and starts another, on the same port
    say({});
    continue;
  }
  const worker = await miniflare.getWorker(scheduled);
  const run = () => worker.scheduled({ cron: "* * * * *", scheduledTime: new Date(time) });
  const results = await Promise.all(Array.from({ length: count }, run));
  say({ outcomes: results.map(({ outcome }) => outcome) });
}
await miniflare.dispose();
process.exit(0);
