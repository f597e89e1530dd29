/* The shell: which view is shown, who is signed in, and what works everywhere. */

import * as add from "./add.js";
import { can, forgetToken, get, keptToken, session } from "./api.js";
import { confirmed, h, problem, silence, tell } from "./dom.js";
import * as note from "./note.js";
import * as search from "./search.js";
import * as signIn from "./signin.js";
import * as status from "./status.js";
import * as today from "./today.js";
import { receiveDrops } from "./uploads.js";
import { knownZone } from "./words.js";

const VIEWS = { search, note, today, add, status };
const header = document.querySelector(".top");
const main = document.querySelector("main");
const help = document.querySelector("#help");

let leaving = new AbortController();
let shownHash = null;

/** The view and what it is asked for, from an address such as `#/note/ID?start=1`. */
function asked() {
  const [path, query] = location.hash.slice(1).split("?");
  const [name, id] = path.split("/").filter(Boolean);
  const known = Object.hasOwn(VIEWS, name)
    ? name
    : (Object.keys(VIEWS).find((each) => isOpen(VIEWS[each])) ?? "status");
  return { name: known, id: id && decodeURIComponent(id), params: new URLSearchParams(query) };
}

const isOpen = (view) => can(...view.needs);

/** Shows what the address asks for; `isQuiet` leaves the focus where it is. */
async function show() {
  if (!session.me) return;
  if (!(await mayLeave())) return;
  leaving.abort();
  leaving = new AbortController();
  shownHash = location.hash;
  const { name, id, params } = asked();
  const view = VIEWS[name];
  for (const link of header.querySelectorAll("nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const root = h("div", { class: `view ${name}` });
  main.replaceChildren(root);
  window.scrollTo(0, 0);
  const place = { root, id, params, signal: leaving.signal, titled };
  titled(view.title);
  try {
    if (isOpen(view)) await view.show(place);
    else root.append(lacking(view));
  } catch (error) {
    if (error.name !== "AbortError" && session.me) root.append(problem(error, show));
  }
  if (!place.signal.aborted && !root.contains(document.activeElement)) focusHeading(root);
}

function titled(title) {
  document.title = `${title} · DOME`;
}

function focusHeading(root) {
  const heading = root.querySelector("h1");
  heading?.setAttribute("tabindex", "-1");
  heading?.focus({ preventScroll: true });
}

/** Why a view shows nothing. */
function lacking(view) {
  const missing = view.needs.filter((scope) => !can(scope));
  return h(
    "section",
    { class: "empty" },
    h("h1", null, view.title),
    h("p", null, `This token may not ${view.purpose}: it lacks the scope ${missing.join(", ")}.`),
    h(
      "p",
      null,
      "Make one that has it on the machine where DOME runs: ",
      h(
        "code",
        null,
        `dome-mcp token create --scope ${[...session.me.scopes, ...missing].join(",")}`,
      ),
    ),
  );
}

async function mayLeave() {
  if (!note.isDirty() || location.hash === shownHash) return true;
  const wanted = location.hash;
  history.replaceState(null, "", shownHash);
  if (!(await confirmed("Leave without saving what you changed?", "Leave", "Keep writing")))
    return false;
  note.discard();
  location.hash = wanted;
  return false;
}

async function enter() {
  session.me = await get("me");
  session.zone = knownZone(session.me.timezone);
  header.hidden = false;
  for (const link of header.querySelectorAll("nav a")) {
    link.hidden = !isOpen(VIEWS[link.dataset.view]);
  }
  header.querySelector(".who").textContent = session.me.user_id;
  header.querySelector(".menu").replaceChildren(...signIn.account(session.me, leave));
  await show();
}

function leave(reason) {
  leaving.abort();
  note.discard();
  search.forget();
  add.forget();
  silence();
  forgetToken();
  header.hidden = true;
  header.querySelector("details").open = false;
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  titled("Sign in");
  main.replaceChildren(signIn.view(enter, reason));
  main.querySelector("input").focus();
}

function pressed(event) {
  const isTyping = event.target.closest?.("input, textarea, select, [contenteditable]");
  const details = header.querySelector("details");
  if (event.key === "Escape" && details.open) {
    details.open = false;
    details.querySelector("summary").focus();
  }
  if (
    isTyping ||
    event.ctrlKey ||
    event.metaKey ||
    event.altKey ||
    document.querySelector("dialog[open]")
  )
    return;
  if (event.key === "?" && session.me) help.showModal();
  if (event.key === "/" && can("notes:read")) {
    event.preventDefault();
    const box = document.querySelector("#query");
    if (box) box.select();
    else location.hash = "#/search";
  }
}

function clicked(event) {
  const details = header.querySelector("details");
  const link = event.target.closest?.("a");
  if (!details.contains(event.target) || link) details.open = false;
  // The address of the view that is shown is no change of address.
  if (link?.hash.startsWith("#/") && link.hash === location.hash && link.origin === location.origin)
    show();
}

async function start() {
  session.signedOut = (error) => {
    if (session.me) leave(error.words || "The token is no longer valid.");
  };
  window.addEventListener("hashchange", show);
  window.addEventListener("storage", (event) => {
    if (session.me && event.newValue === null && keptToken() === null)
      leave("You signed out in another tab.");
  });
  window.addEventListener("beforeunload", (event) => {
    if (note.isDirty() || add.isBusy()) event.preventDefault();
  });
  document.addEventListener("keydown", pressed);
  document.addEventListener("click", clicked);
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  receiveDrops(
    document.querySelector(".drop"),
    () => can(...add.needs),
    (files) => {
      add.take(files);
      if (!location.hash.startsWith("#/add")) location.hash = "#/add";
    },
  );
  session.token = keptToken();
  if (!session.token) return leave();
  try {
    await enter();
  } catch (error) {
    if (error.status === 401) leave(error.words);
    else main.replaceChildren(problem(error, () => location.reload()));
  }
}

window.addEventListener("unhandledrejection", (event) =>
  tell(String(event.reason?.words ?? event.reason)),
);
start();
