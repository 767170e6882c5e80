// Asks for a key where the service needs one, in one dialog at a time.

import { dialog, h } from "./dom.js";

let asking = null;

// Resolves to the typed key, or to null if the dialog is closed without one. With a `purpose`, it is the admin key.
export const requestKey = (refused, purpose) => (asking ??= new Promise((resolve) => show(refused, purpose, resolve)));

function show(refused, purpose, resolve) {
  let typed = null;
  const build = (close) => {
    const field = h("input", { type: "password", required: true, autocomplete: "off", id: "key" });
    const use = (event) => {
      event.preventDefault();
      typed = field.value;
      close();
    };
    return h("form", { onsubmit: use }, refused && h("p", { className: "fault" }, "That key was not accepted."),
      h("p", {}, purpose ? `The admin key is needed to ${purpose}. Operators have it.` : "This Matinee needs a key. Ask its operator for one; or open your own link, if you have one."),
      h("label", { htmlFor: "key" }, "Key"), field,
      h("p", { className: "hint" }, "It stays in this tab until the tab is closed."),
      h("button", { type: "submit" }, "Use this key"));
  };
  const done = () => {
    asking = null;
    resolve(typed);
  };
  dialog(purpose ? "The admin key is needed" : "A key is needed", build).addEventListener("close", done);
}
