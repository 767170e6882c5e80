// Switching users: one that this device knows, a new one, or one by number. Visitors read "person" for user.

import { get, post } from "./api.js";
import { dialog, h, toast } from "./dom.js";
import { keepToken } from "./memory.js";
import { current, knownUsers, nameOf, switchUser } from "./user.js";

export const chooseUser = () => dialog("Who is watching?", (close) => {
  const fault = h("p", { className: "fault", role: "alert" });
  const wanted = h("input", { id: "wanted", type: "number", min: 1, max: 2147483647, required: true, inputMode: "numeric" });
  const use = (chosen) => {
    close();
    return switchUser(chosen).catch((error) => toast(error.message));
  };
  const refuse = (error) => (fault.textContent = error.status === 404 ? `There is no person ${wanted.value}.` : error.message);
  const create = () => post("/users").then(({ user_id: id, token }) => (keepToken(id, token), use(id)), refuse);
  const open = (event) => {
    event.preventDefault();
    get(`/users/${wanted.value}`).then(() => use(Number(wanted.value)), refuse);
  };
  const choice = (id) => h("li", {}, h("button", { type: "button", className: "choice", onclick: () => use(id),
    "aria-current": id === current() ? "true" : null }, nameOf(id)));
  return h("div", { className: "people" },
    current() !== null && h("a", { href: "#/you" }, `${nameOf(current())}: name, taste and data`),
    knownUsers().length > 0 && h("ul", {}, knownUsers().map(choice)),
    h("button", { type: "button", onclick: create }, "New person"),
    h("form", { onsubmit: open }, h("label", { htmlFor: "wanted" }, "Open another person by number"),
      h("div", { className: "row" }, wanted, h("button", { type: "submit", className: "quiet" }, "Open"))),
    fault);
});
