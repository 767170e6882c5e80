// The filters of the list: a genre, years, and how varied its genres are. The address has them.

import { parameter, setParameters } from "./address.js";
import { get, toastUnlessAborted } from "./api.js";
import { h } from "./dom.js";

const NAMES = { genre: "genre", year_from: "from", year_to: "to", diversity: "variety" }; // of the service, and in the address
export const wanted = () => Object.fromEntries(Object.entries(NAMES).map(([name, ours]) => [name, parameter(ours)]));

export function filters(signal, changed) {
  const all = () => set({ genre: "", from: "", to: "", variety: "" });
  const reset = h("button", { type: "button", className: "quiet round hide", title: "All movies", "aria-label": "All movies", onclick: all }, "✕");
  const genre = h("select", { id: "genre", onchange: () => set({ genre: genre.value }) }, h("option", { value: "" }, "Any genre"));
  const from = year("from", "From"), to = year("to", "To");
  const variety = h("input", { id: "variety", type: "range", min: 0, max: 1, step: 0.25, title: "From the best alone to all the genres that you like",
    onchange: () => set({ variety: Number(variety.value) || "" }) });
  const show = () => {
    [genre.value, from.value, to.value, variety.value] = Object.values(NAMES).map((name) => parameter(name) || "");
    if (!parameter("variety")) variety.value = 0;
    reset.style.visibility = Object.values(wanted()).some(Boolean) ? "visible" : "hidden"; // its place stays
  };
  function set(some) {
    setParameters({ ...some, shown: "" }, true);
    show();
    checkOrder();
    changed();
  }
  function year(id, label) {
    return h("input", { id, type: "number", min: 1870, max: 2100, placeholder: label.toLowerCase(), "aria-label": `${label} year`,
      oninput: checkOrder, onchange: (event) => event.target.reportValidity() && set({ from: from.value, to: to.value }) });
  }
  // a range that ends before it begins is marked and not sent
  function checkOrder() {
    const reversed = from.value && to.value && Number(from.value) > Number(to.value);
    for (const field of [from, to]) field.setCustomValidity(reversed ? "The first year is after the last." : "");
  }
  const fill = ({ items }) => {
    genre.append(...items.map(({ name }) => h("option", { value: name }, name)));
    show();
  };
  get("/genres", signal).then(fill, toastUnlessAborted);
  show();
  return h("form", { className: "filters", "aria-label": "Filters", onsubmit: (event) => event.preventDefault() },
    h("label", { htmlFor: "genre", className: "unseen" }, "Genre"), genre,
    from, h("span", { "aria-hidden": "true" }, "–"), to,
    h("label", { className: "variety" }, "Variety", variety), reset);
}
