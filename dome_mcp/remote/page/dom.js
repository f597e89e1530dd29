/* Elements without markup in strings: whatever a note holds can only ever become text. */

const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "open", "htmlFor"]);

/** An element; `on…` props are listeners, false and null props and children are left out. */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) element[name] = value;
    else if (value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(2).filter((child) => child || child === 0));
  return element;
}

/** A button that works once at a time; what goes wrong is told at the edge of the page. */
export function button(label, action, props = {}) {
  let isBusy = false;
  const pressed = async () => {
    if (isBusy) return;
    // Not disabled, which would take the focus away.
    element.ariaDisabled = isBusy = true;
    try {
      await action();
    } catch (error) {
      report(error);
    } finally {
      isBusy = false;
      element.removeAttribute("aria-disabled");
    }
  };
  const element = h("button", { type: "button", onclick: pressed, ...props }, label);
  return element;
}

/** A form that sends once at a time; Ctrl+Enter in any field sends it too. */
export function form(props, send, ...children) {
  let isBusy = false;
  const sent = async (event) => {
    event.preventDefault();
    if (isBusy) return;
    isBusy = true;
    element.querySelector(".problem")?.remove();
    element.setAttribute("aria-busy", "true");
    try {
      await send(event.submitter?.value);
    } catch (error) {
      if (error.name !== "AbortError") element.append(problem(error));
    } finally {
      isBusy = false;
      element.removeAttribute("aria-busy");
    }
  };
  const keyed = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) element.requestSubmit();
  };
  const element = h("form", { ...props, onsubmit: sent, onkeydown: keyed }, ...children);
  return element;
}

let lastId = 0;

/** A control with its label above it, and perhaps a hint below. */
export function field(label, control, hint) {
  control.id ||= `field-${++lastId}`;
  if (hint) control.setAttribute("aria-describedby", `${control.id}-hint`);
  return h(
    "p",
    { class: "field" },
    h("label", { for: control.id }, label),
    control,
    hint && h("small", { id: `${control.id}-hint` }, hint),
  );
}

/** A text input; whatever script it is written in decides its direction. */
export function input(props) {
  return h("input", { type: "text", dir: "auto", autocomplete: "off", ...props });
}

/** What went wrong and what to do about it. */
export const said = (error) => [
  h("strong", { class: "title" }, error.title ?? "Something went wrong."),
  " ",
  error.words ?? String(error),
];

/** The same, read out at once, perhaps with a second chance. */
export function problem(error, retry) {
  return h(
    "div",
    { class: "notice bad problem", role: "alert" },
    h("p", null, said(error)),
    retry && h("button", { type: "button", onclick: retry }, "Try again"),
  );
}

const toast = document.querySelector(".toast");
let toastTimer;

/** Says something at the edge of the page, and to screen readers; `action` is a button beside it. */
export function tell(text, action) {
  clearTimeout(toastTimer);
  toast.replaceChildren(h("div", null, h("p", null, text), action));
  // Whoever has to reach a button is given more time for it.
  toastTimer = setTimeout(() => toast.replaceChildren(), action ? 12000 : 6000);
}

const spoken = document.querySelector(".spoken");

/** Tells screen readers what others see. */
export function announce(text) {
  spoken.textContent = text;
}

/** Takes back what was said: whoever signs in next is not to know it. */
export function silence() {
  clearTimeout(toastTimer);
  toast.replaceChildren();
  announce("");
}

function report(error) {
  if (error.name !== "AbortError") tell(error.words ?? String(error));
}

/** Asks before something that cannot be taken back; true where the user agrees. */
export function confirmed(question, yes, no = "Cancel") {
  const dialog = h(
    "dialog",
    { class: "card", "aria-labelledby": "question" },
    h("p", { id: "question" }, question),
    h(
      "form",
      { method: "dialog", class: "row end" },
      h("button", { value: "", autofocus: true }, no),
      h("button", { value: "yes", class: "danger" }, yes),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
