// Python's proxy of a binding takes `send` for its own, a generator's, so it is called from here.
import { env } from "cloudflare:workers";

export const send = async (mail) => (await env.EMAIL.send(mail)).messageId;
