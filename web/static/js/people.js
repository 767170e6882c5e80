// Whose ratings: one of those known to this device, a new person, or one by number.

import { get, post } from "./api.js";
import { dialog, h, toast } from "./dom.js";
import { choose, current, known } from "./person.js";

export const pickPerson = () => dialog("Who is watching?", (close) => {
  const fault = h("p", { className: "fault", role: "alert" });
  const wanted = h("input", { id: "wanted", type: "number", min: 1, max: 2147483647, required: true, inputMode: "numeric" });
  const use = (chosen) => {
    close();
    return choose(chosen).catch((error) => toast(error.message));
  };
  const refuse = (error) => (fault.textContent = error.message);
  const make = () => post("/users").then((made) => use(made.user_id), refuse);
  const open = (event) => {
    event.preventDefault();
    get(`/users/${wanted.value}`).then(() => use(Number(wanted.value)), refuse);
  };
  const choice = (id) => h("li", {}, h("button", { type: "button", className: "choice", onclick: () => use(id),
    "aria-current": id === current() ? "true" : null }, `Person ${id}`));
  return h("div", { className: "people" },
    known().length > 0 && h("ul", {}, known().map(choice)),
    h("button", { type: "button", onclick: make }, "New person"),
    h("form", { onsubmit: open }, h("label", { htmlFor: "wanted" }, "Someone else, by number"),
      h("div", { className: "row" }, wanted, h("button", { type: "submit", className: "quiet" }, "Open"))),
    fault);
});
