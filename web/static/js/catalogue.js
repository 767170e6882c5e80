// The movies that were added, changed or withdrawn since the dataset was taken in, the last first.

import { glance } from "./api.js";
import { clear, h, number, since } from "./dom.js";
import { titled } from "./titles.js";

const SHOWN = 8;

export async function showCatalogue(place, signal) {
  try {
    const { items, total } = await glance(`/catalogue/changes?limit=${SHOWN}`, signal);
    const row = ({ movie, change, at }) => h("li", { className: change }, h("span", {}, h("a", { href: `#/movie/${movie.movie_id}` }, titled(movie)), movie.year && ` (${movie.year})`),
      h("small", {}, change, at && [" ", since(at)]));
    clear(place, total ? h("ul", { className: "plain marked" }, items.map(row)) : h("p", { className: "empty" }, "No movie has been added, changed or withdrawn since the dataset was taken in."),
      total > SHOWN && h("p", { className: "hint" }, `and ${number(total - SHOWN)} more`));
  } catch (error) {
    if (!signal.aborted) clear(place, h("p", { className: "empty", role: "alert" }, error.message));
  }
}
