// A movie in a list: a ticket with its stub.

import { h } from "./dom.js";
import { stars } from "./stars.js";
import { hue, listed, titled } from "./titles.js";

export function ticket(movie, { stub, more, aside } = {}) {
  return h("article", { className: aside ? "ticket full" : "ticket", "--hue": hue(movie) },
    h("div", { className: "stub", "aria-hidden": "true" }, stub ?? h("span", { className: "year" }, movie.year ?? "★")),
    h("div", { className: "body" },
      h("h3", {}, h("a", { href: `#/movie/${movie.movie_id}` }, titled(movie))),
      h("p", { className: "about" }, h("span", { className: "unseen" }, movie.year && `${movie.year}, `), listed(movie.genres)), more),
    stars(movie), aside);
}

// Tickets without text, which keep the place of those that are still loading.
export const placeholders = (count) =>
  Array.from({ length: count }, () => h("li", { className: "placeholder", "aria-hidden": "true" }));

export const expected = (rating) =>
  h("p", { className: "expected" }, h("b", {}, rating.toFixed(1)), h("span", {}, "expected"));
