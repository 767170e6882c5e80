// Asks for a key where the service wants one: one dialog at a time, whoever needs it.

import { dialog, h } from "./dom.js";

const REASONS = {
  missing: "This Matinee is locked. Its operator has the key.",
  wrong: "That key is not right. Its operator has the right one.",
  admin: "This is for the operator: it wants the admin key.",
};
let asking = null;

// The key that was typed, or null if the dialog was closed without one.
export const askForKey = (reason) => (asking ??= new Promise((resolve) => show(REASONS[reason], resolve)));

function show(reason, resolve) {
  let typed = null;
  const build = (close) => {
    const field = h("input", { type: "password", required: true, autocomplete: "off", id: "key" });
    const take = (event) => {
      event.preventDefault();
      typed = field.value;
      close();
    };
    return h("form", { onsubmit: take }, h("p", {}, reason), h("label", { htmlFor: "key" }, "Key"), field,
      h("p", { className: "hint" }, "It stays in this tab, and is forgotten when the tab is closed."),
      h("button", { type: "submit" }, "Use this key"));
  };
  const done = () => {
    asking = null;
    resolve(typed);
  };
  dialog("A key is needed", build).addEventListener("close", done);
}
