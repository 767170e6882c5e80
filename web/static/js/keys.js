// Asks for a key where the service needs one, in one dialog at a time.

import { dialog, h } from "./dom.js";

const REASONS = {
  missing: "This Matinee needs a key. Ask its operator for one.",
  wrong: "That key was not accepted.",
  admin: "Only operators may do this. It needs the admin key.",
};
let asking = null;

// Resolves to the typed key, or to null if the dialog is closed without one.
export const requestKey = (reason) => (asking ??= new Promise((resolve) => show(REASONS[reason], resolve)));

function show(reason, resolve) {
  let typed = null;
  const build = (close) => {
    const field = h("input", { type: "password", required: true, autocomplete: "off", id: "key" });
    const use = (event) => {
      event.preventDefault();
      typed = field.value;
      close();
    };
    return h("form", { onsubmit: use }, h("p", {}, reason), h("label", { htmlFor: "key" }, "Key"), field,
      h("p", { className: "hint" }, "It stays in this tab until the tab is closed."),
      h("button", { type: "submit" }, "Use this key"));
  };
  const done = () => {
    asking = null;
    resolve(typed);
  };
  dialog("A key is needed", build).addEventListener("close", done);
}
