// A movie in a list: a ticket, whose stub is the poster.

import { h } from "./dom.js";
import { poster } from "./posters.js";
import { stars } from "./stars.js";
import { alternatives, hue, listed, titled } from "./titles.js";

export function ticket(movie, { stub, more, aside } = {}) {
  const other = alternatives(movie);
  return h("article", { className: aside ? "ticket full" : "ticket", "--hue": hue(movie) },
    h("div", { className: "stub", "aria-hidden": "true" }, poster(movie), stub && h("div", { className: "place" }, stub)),
    h("div", { className: "body" },
      h("h3", {}, h("a", { href: `#/movie/${movie.movie_id}` }, titled(movie))),
      other && h("p", { className: "other" }, other),
      h("p", { className: "about" }, listed([movie.year, ...movie.genres].filter(Boolean))), more),
    stars(movie), aside);
}

// Tickets without text, which keep the place of those that are still loading.
export const placeholders = (count) =>
  Array.from({ length: count }, () => h("li", { className: "placeholder", "aria-hidden": "true" }));

// The rating that this person would probably give, or the average where nothing is known of them.
export const expected = (rating, personal = true) =>
  h("p", { className: "expected" }, h("b", {}, h("i", { "aria-hidden": "true" }, "★"), rating.toFixed(1)),
    h("span", {}, personal ? "for you" : "average"));
