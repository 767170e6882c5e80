// The filters of the list: genres, years, the watchlist, and how varied its genres are. The address has them.

import { parameter, setParameters } from "./address.js";
import { get, toastUnlessAborted } from "./api.js";
import { h } from "./dom.js";

const NAMES = ["genre", "or", "not", "from", "to", "later", "variety"]; // in the address
const LATER = { "": "Without your watchlist", with: "With your watchlist", only: "Only your watchlist" }; // it has a shelf below

// The filters as the service takes them. A second genre makes it any of the two.
export function wanted() {
  const [genre, or, not, from, to, later, diversity] = NAMES.map(parameter);
  const genres = or ? { any_genre: [genre, or].filter(Boolean) } : { genre };
  return { ...genres, not_genre: not, year_from: Number(from) || "", year_to: Number(to) || "", later: later || "without", diversity };
}

export function filters(signal, changed) {
  const all = () => set(Object.fromEntries(NAMES.map((name) => [name, ""])));
  const reset = h("button", { type: "button", className: "quiet round hide", title: "All movies", "aria-label": "All movies", onclick: all }, "✕");
  const select = (id, label, options) => h("select", { id, "aria-label": label, onchange: (event) => set({ [id]: event.target.value }) },
    Object.entries(options).map(([value, text]) => h("option", { value }, text)));
  const genres = [select("genre", "Genre", { "": "Any genre" }), select("or", "Or of this genre", { "": "or …" }), select("not", "Not of this genre", { "": "but not …" })];
  const from = year("from", "From"), to = year("to", "To"), later = select("later", "Your watchlist", LATER);
  const variety = h("input", { id: "variety", type: "range", min: 0, max: 1, step: 0.25, title: "From the best alone to all the genres that you like",
    onchange: () => set({ variety: Number(variety.value) || "" }) });
  const fields = [...genres, from, to, later, variety];
  const show = () => {
    fields.forEach((field, at) => (field.value = parameter(NAMES[at]) || (field === variety ? 0 : "")));
    reset.style.visibility = NAMES.some(parameter) ? "visible" : "hidden"; // its place stays
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
    for (const field of genres) field.append(...items.map(({ name }) => h("option", { value: name }, name)));
    show();
  };
  get("/genres", signal).then(fill, toastUnlessAborted);
  show();
  const more = h("details", { open: ["or", "not", "later"].some(parameter) }, h("summary", {}, "More filters"),
    h("div", { className: "row" }, genres.slice(1), later));
  return h("form", { className: "filters", "aria-label": "Filters", onsubmit: (event) => event.preventDefault() },
    genres[0], from, h("span", { "aria-hidden": "true" }, "–"), to, h("label", { className: "variety" }, "Variety", variety), reset, more);
}
