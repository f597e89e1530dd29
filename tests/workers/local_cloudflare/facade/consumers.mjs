// A queue's consumers, of which it has one at most. A Worker as consumer is only noted here.
// Source: https://developers.cloudflare.com/queues/configuration/pull-consumers/ (2026-09).

import { now, putting } from "./changes.mjs";
import { noRoute, readJson, Refusal, success } from "./envelope.mjs";

const NOT_FOUND = 11001;
const HAS_ONE = 11004;

/** The type of a consumer that pulls. */
export const PULLED = "http_pull";

/** Why `messages/pull` is refused where nobody may pull. */
export const NOT_PULLED = new Refusal(405, 11016, "The queue has no HTTP pull consumer.");

/** Answers `/queues/{queue}/consumers[/{id}]`. */
export async function answerConsumers(request, queue, id) {
  const consumer = queue.consumers.find((each) => each.consumer_id === id);
  if (id !== undefined && consumer === undefined) {
    throw new Refusal(404, NOT_FOUND, "The consumer does not exist.");
  }
  switch (`${request.method} ${id === undefined ? "all" : "one"}`) {
    case "GET all":
      return success(queue.consumers);
    case "GET one":
      return success(consumer);
    case "POST all":
      return added(queue, await readJson(request));
    case "DELETE one":
      return putting("queues", { ...queue, consumers: [] }, success(null));
    default:
      throw noRoute();
  }
}

function added(queue, { type, settings = {}, dead_letter_queue: deadLetters }) {
  if (queue.consumers.length > 0) throw new Refusal(409, HAS_ONE, "The queue has a consumer.");
  const made = { consumer_id: crypto.randomUUID().replaceAll("-", ""), created_on: now() };
  const consumer = { ...made, queue_name: queue.name, type, settings };
  if (deadLetters !== undefined) consumer.dead_letter_queue = deadLetters;
  return putting("queues", { ...queue, consumers: [consumer] }, success(consumer));
}
