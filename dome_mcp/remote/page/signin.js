/* Signing in with a token, and what the token may do. */

import { forgetToken, keepToken, session } from "./api.js";
import { field, form, h, input } from "./dom.js";

const MEANING = {
  "notes:read": "search and read notes",
  "notes:write": "add, change and delete notes",
  "tasks:read": "see tasks and reminders",
  "tasks:write": "add and change tasks and reminders",
  admin: "see the figures of the server",
};

/** The page before anybody is signed in; `reason` is why somebody no longer is. */
export function view(enter, reason) {
  const token = input({
    type: "password",
    required: true,
    autocomplete: "current-password",
    spellcheck: "false",
    dir: "ltr",
  });
  const shown = h("input", {
    type: "checkbox",
    onchange: () => token.setAttribute("type", shown.checked ? "text" : "password"),
  });
  const kept = h("input", { type: "checkbox" });
  const send = async () => {
    keepToken(checked(token.value), kept.checked);
    try {
      await enter();
    } catch (error) {
      if (!session.me) forgetToken();
      token.select();
      throw error;
    }
  };
  return h(
    "div",
    { class: "view signin" },
    h("h1", null, "Sign in to DOME"),
    h("p", { class: "lead" }, "Your notes, tasks and reminders."),
    reason && h("p", { class: "notice warn", role: "alert" }, `You are signed out. ${reason}`),
    form(
      { class: "card", "aria-label": "Sign in" },
      send,
      field("Token", token, "It begins with dome_."),
      h("label", { class: "check" }, shown, "Show the token"),
      h("label", { class: "check" }, kept, "Stay signed in on this device"),
      h("button", { class: "primary wide" }, "Sign in"),
    ),
    h(
      "section",
      { class: "soft" },
      h("h2", null, "No token yet?"),
      h("p", null, "Make one on the machine where DOME runs, and paste it here:"),
      h("pre", null, h("code", null, "dome-mcp token create --scope all --name browser")),
      h("p", null, "Without “stay signed in” it is forgotten when this tab is closed."),
    ),
  );
}

/** The token as it is sent; what cannot be one is not sent at all. */
function checked(text) {
  const token = text.trim();
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw {
    title: "That is not a token.",
    words: "It has characters that no token has. Copy it again.",
  };
}

/** Who is signed in, what they may do, what they may not, and the way out. */
export function account(me, leave) {
  const allowed = Object.keys(MEANING).filter((scope) => me.scopes.includes(scope));
  const missing = Object.keys(MEANING).filter((scope) => !me.scopes.includes(scope));
  const items = (scopes) =>
    h(
      "ul",
      null,
      scopes.map((scope) => h("li", null, MEANING[scope], " ", h("code", null, scope))),
    );
  return [
    h(
      "p",
      null,
      "Signed in as ",
      h("strong", { dir: "auto" }, me.user_id),
      h("br"),
      h("small", null, me.timezone),
    ),
    h("p", null, "This token may"),
    items(allowed),
    missing.length > 0 && h("p", null, "It may not, so this page does not offer it"),
    missing.length > 0 && items(missing),
    h("button", { type: "button", class: "wide", onclick: () => leave() }, "Sign out"),
  ].filter(Boolean);
}
