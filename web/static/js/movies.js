// A movie in a list: a ticket, whose stub is the poster.

import { h } from "./dom.js";
import { poster } from "./posters.js";
import { stars } from "./stars.js";
import { alternatives, hue, listed, titled } from "./titles.js";

// `whose` keeps its rating (see stars.js); null leaves the stars out.
export function ticket(movie, { stub, more, aside, whose } = {}) {
  const other = alternatives(movie);
  return h("article", { className: aside ? "ticket full" : "ticket", "--hue": hue(movie) },
    h("div", { className: "stub", "aria-hidden": "true" }, poster(movie), stub && h("div", { className: "place" }, stub)),
    h("div", { className: "body" },
      h("h3", {}, h("a", { href: `#/movie/${movie.movie_id}` }, titled(movie))),
      other && h("p", { className: "other" }, other),
      h("p", { className: "about" }, listed([movie.year, ...movie.genres].filter(Boolean))), more),
    whose !== null && stars(movie, whose), aside);
}

// Tickets without text, which keep the place of those that are still loading.
export const placeholders = (count) =>
  Array.from({ length: count }, () => h("li", { className: "placeholder", "aria-hidden": "true" }));

// A rating and what it is: the one that this person would probably give, or an average.
export const expected = (rating, what = "for you") =>
  h("p", { className: "expected" }, h("b", {}, h("i", { "aria-hidden": "true" }, "★"), rating.toFixed(1)),
    h("span", {}, what));
