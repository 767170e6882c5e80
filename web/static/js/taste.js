// A person's taste beside everybody's: genres, decades, years, ratings unlike others', and how close predictions came.

import { h, number, plural } from "./dom.js";
import { titled } from "./titles.js";

const MOST = 8; // rows of a table

export function taste(found) {
  if (!found.rating_count) return h("p", { className: "empty" }, "No ratings yet. Your taste appears with them.");
  const genres = found.genres.slice(0, MOST), decades = found.decades.filter(({ rating_count: count }) => count).slice(-MOST);
  return [h("p", {}, `${plural(found.rating_count, "rating")}, ${number(found.rating_mean, 1)} stars on average; everybody's average is ${number(found.everybody_mean, 1)}.`),
    bars("Genres", genres), bars("Decades", decades), years(found.years), unlike(found.unlike_others), predicted(found.predictions)];
}

// A bar is the share among this person's ratings; the mark in it, the share among everybody's.
function bars(title, parts) {
  const most = Math.max(...parts.flatMap((part) => [part.share, part.everybody_share]));
  const row = ({ name, rating_count: count, rating_mean: mean, share, everybody_share: theirs, everybody_mean: others }) =>
    h("div", { "--share": share / most, "--theirs": theirs / most }, h("dt", {}, name), h("dd", { className: "length beside", "aria-hidden": "true" }),
      h("dd", {}, `${count}\u00a0· ★\u00a0${number(mean, 1)}`, h("small", {}, ` all ★\u00a0${number(others, 1)}`)));
  return h("div", { className: "took" }, h("h3", {}, title), h("p", { className: "hint" }, "The bar is your share, the line everybody’s."), h("dl", { className: "phases" }, parts.map(row)));
}

const years = (all) => all.length > 1 && h("div", { className: "took" }, h("h3", {}, "Year by year"),
  h("ul", { className: "plain" }, all.map(({ year, rating_count: count, rating_mean: mean }) => h("li", {}, h("b", {}, year), ` ${plural(count, "rating")}, ★\u00a0${number(mean, 1)}`))));

const unlike = (all) => all.length > 0 && h("div", { className: "took" }, h("h3", {}, "Most unlike others"),
  h("ul", { className: "plain" }, all.slice(0, 5).map(({ movie, rating, everybody_mean: mean }) =>
    h("li", {}, h("a", { href: `#/movie/${movie.movie_id}` }, titled(movie)), ` ★\u00a0${number(rating, 1)}, others ★\u00a0${number(mean, 1)}`))));

const predicted = ({ count, mae }) => count > 0 && h("p", { className: "hint" }, `Predictions of ${plural(count, "rating")} were off by ${number(mae, 2)} stars on average.`);
