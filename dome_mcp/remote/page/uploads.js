/* Files on their way: dropped, sent with progress, followed until they are stored. */

import { address, authorization, get, problemOf, unreachable } from "./api.js";

const AT_ONCE = 2;
const FIRST_LOOK_MS = 400;
const SLOWEST_LOOK_MS = 5000;

const waiting = new Set();
let running = 0;

const cancelled = () => new DOMException("cancelled", "AbortError");

/** Runs the work when fewer than AT_ONCE others run, unless it is cancelled before. */
export async function inTurn(work, signal) {
  if (running >= AT_ONCE) {
    await new Promise((resolve, reject) => {
      waiting.add(resolve);
      signal.addEventListener("abort", () => waiting.delete(resolve) && reject(cancelled()));
    });
  }
  running += 1;
  try {
    return await work();
  } finally {
    running -= 1;
    const [next] = waiting;
    waiting.delete(next);
    next?.();
  }
}

/** Sends the file; `told` is given the share that is sent, 0 to 1. Returns the note or the job. */
export function send(file, labels, { told, signal, key }) {
  const data = new FormData();
  for (const [name, value] of Object.entries(labels)) {
    for (const each of [value].flat()) if (each) data.append(name, each);
  }
  data.append("file", file, file.name);
  const request = new XMLHttpRequest();
  request.open("POST", address("ingest"));
  for (const [name, value] of Object.entries(authorization()))
    request.setRequestHeader(name, value);
  request.setRequestHeader("Idempotency-Key", key);
  request.upload.addEventListener("progress", (event) => told(event.loaded / event.total));
  signal.addEventListener("abort", () => request.abort());
  return new Promise((resolve, reject) => {
    request.addEventListener("error", () => reject(unreachable()));
    request.addEventListener("abort", () => reject(cancelled()));
    request.addEventListener("load", () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText));
      else
        reject(
          problemOf(request.status, request.responseText, request.getResponseHeader("Retry-After")),
        );
    });
    request.send(data);
  });
}

/** What became of what was sent: the note, once a job that stores it is done. */
export async function settled(answer, { told, signal }) {
  if (!answer.job_id) return answer;
  told(answer.state);
  let pause = FIRST_LOOK_MS;
  for (;;) {
    await paused(pause, signal);
    const job = await get(`ingest/${encodeURIComponent(answer.job_id)}`, {}, signal);
    if (job.state === "done") return job.result;
    if (job.state === "failed") throw failed(job.problem ?? {});
    told(job.state);
    pause = Math.min(pause * 1.5, SLOWEST_LOOK_MS);
  }
}

function failed({ title, detail, hint }) {
  return { title: "It was not stored.", words: [detail ?? title, hint].filter(Boolean).join(" ") };
}

function paused(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        reject(cancelled());
      },
      { once: true },
    );
  });
}

/** Takes files dropped anywhere on the page; `veil` says so while they hover. */
export function receiveDrops(veil, mayAdd, take) {
  let depth = 0;
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  const hover = (change) => {
    depth = Math.max(0, depth + change);
    veil.hidden = depth === 0 || !mayAdd();
  };
  document.addEventListener("dragenter", (event) => hasFiles(event) && hover(1));
  document.addEventListener("dragleave", (event) => hasFiles(event) && hover(-1));
  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    // Without this the browser would leave the page and open the file.
    event.preventDefault();
    event.dataTransfer.dropEffect = mayAdd() ? "copy" : "none";
  });
  document.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    hover(-depth);
    if (mayAdd()) take(dropped(event.dataTransfer));
  });
}

/** The files, each with whether it is a folder, which a browser hands over as an empty file. */
function dropped(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  return [...transfer.files].map((file, index) => {
    const isFolder = items[index]?.webkitGetAsEntry?.()?.isDirectory ?? false;
    return { file, isFolder };
  });
}
