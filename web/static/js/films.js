// How a film looks in a list: a ticket, with its stub.

import { h } from "./dom.js";
import { stars } from "./stars.js";
import { hue, listed, titled } from "./titles.js";

export function ticket(film, { stub, more, aside } = {}) {
  return h("article", { className: aside ? "ticket full" : "ticket", "--hue": hue(film) },
    h("div", { className: "stub", "aria-hidden": "true" }, stub ?? h("span", { className: "year" }, film.year ?? "★")),
    h("div", { className: "body" },
      h("h3", {}, h("a", { href: `#/film/${film.movie_id}` }, titled(film))),
      h("p", { className: "about" }, h("span", { className: "unseen" }, film.year && `${film.year}, `), listed(film.genres)), more),
    stars(film), aside);
}

export const expected = (rating) =>
  h("p", { className: "expected" }, h("b", {}, rating.toFixed(1)), h("span", {}, "expected"));
