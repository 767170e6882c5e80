// A movie: what it is, how people rated it, what this person may expect, what is like it.

import { get } from "./api.js";
import { announce, clear, h, number, several } from "./dom.js";
import { expected, ticket } from "./movies.js";
import { current, person, ratingOf } from "./person.js";
import { refreshStars, stars } from "./stars.js";
import { hue, listed, titled } from "./titles.js";

export async function movie(main, id, signal) {
  const [found, like] = await Promise.all([get(`/movies/${id}`, signal), get(`/movies/${id}/similar?limit=8`, signal)]);
  const mine = h("div"), people = h("div", { className: "people-said" });
  document.title = `${titled(found)} – Matinee`;
  clear(main, h("div", { className: "movie", "--hue": hue(found) },
    h("header", { className: "movie-head" },
      h("p", {}, h("a", { href: "#/", className: "back" }, "← All movies")),
      h("h1", {}, titled(found)), h("p", { className: "about" }, listed([found.year, ...found.genres].filter(Boolean))),
      h("div", { className: "movie-rate" }, stars(found), mine)),
    h("section", { "aria-labelledby": "people" }, h("h2", { id: "people" }, "How people rated it"), people),
    h("section", { "aria-labelledby": "like" }, h("h2", { id: "like" }, "Liked by the same people"), alike(like))));
  clear(people, histogram(found));
  const again = async () => {
    refreshStars(main);
    const [now] = await Promise.all([get(`/movies/${id}`, signal), foretell(mine, id, signal)]);
    clear(people, histogram(now));
    announce(mine.textContent);
  };
  person.addEventListener("ratings", () => again().catch(() => {}), { signal });
  await foretell(mine, id, signal);
}

async function foretell(place, id, signal) {
  if (current() === null) return clear(place, h("p", { className: "hint" }, "Rate a few movies to see what you may expect."));
  const { items } = await get(`/users/${current()}/predictions?movie_id=${id}`, signal);
  const yours = ratingOf(id);
  const given = yours > 0 && h("p", { className: "hint" }, `You gave it ${several(yours, "star")}.`);
  return clear(place, expected(items[0].expected_rating), given);
}

const alike = ({ items, generation }) => items.length
  ? h("ol", { className: "tickets two" }, items.map(({ movie }) => h("li", {}, ticket(movie))))
  : h("p", { className: "empty" },
    generation ? "Too few people have liked it to say." : "This is known once the first training is done.");

function histogram({ rating_count: count, rating_mean: mean, rating_histogram: bars }) {
  if (!count) return h("p", { className: "empty" }, "Nobody has rated it yet.");
  const told = h("p", { className: "mean" }, h("b", {}, number(mean, 2)), ` from ${several(count, "rating")}`);
  if (!bars) return told;
  const most = Math.max(...bars.map((bar) => bar.count));
  const bar = ({ rating, count: people }) => h("div", { "--share": people / most },
    h("dt", { className: rating % 1 ? "half" : "" }, h("span", { className: "unseen" }, "Rated "), rating),
    h("dd", {}, number(people)));
  return [told, h("dl", { className: "histogram" }, bars.map(bar))];
}
