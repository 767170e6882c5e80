// A movie: its title and genres, how people rated it, the expected rating, and similar movies.

import { get } from "./api.js";
import { announce, clear, h, number, plural } from "./dom.js";
import { expected, ticket } from "./movies.js";
import { current, ratingOf, ratingsLoaded, userEvents } from "./user.js";
import { refreshStars, stars } from "./stars.js";
import { hue, listed, titled } from "./titles.js";

const RATED = "How people rated it";
const SIMILAR = "People who liked this also liked";

// What stands there until the movie has come, in about the same places.
const skeleton = () => h("div", { className: "movie", "--hue": 250 },
  h("header", { className: "movie-head waiting" }, h("h1", {}, "Loading …")),
  [RATED, SIMILAR].map((title) => h("section", {}, h("h2", {}, title), h("div", { className: "histogram" }))));

export async function movie(main, id, signal) {
  clear(main, skeleton());
  const [found, like] = await Promise.all([get(`/movies/${id}`, signal), get(`/movies/${id}/similar?limit=8`, signal), ratingsLoaded()]);
  const prediction = h("div"), ratings = h("div", { className: "people-said" });
  document.title = `${titled(found)} – Matinee`;
  clear(main, h("div", { className: "movie", "--hue": hue(found) },
    h("header", { className: "movie-head" },
      h("p", {}, h("a", { href: "#/", className: "back" }, "← All movies")),
      h("h1", {}, titled(found)), h("p", { className: "about" }, listed([found.year, ...found.genres].filter(Boolean))),
      h("div", { className: "movie-rate" }, stars(found), prediction)),
    h("section", { "aria-labelledby": "people" }, h("h2", { id: "people" }, RATED), ratings),
    h("section", { "aria-labelledby": "like" }, h("h2", { id: "like" }, SIMILAR), alike(like))));
  clear(ratings, histogram(found));
  const refresh = async () => {
    refreshStars(main);
    const [now] = await Promise.all([get(`/movies/${id}`, signal), showPrediction(prediction, id, signal)]);
    clear(ratings, histogram(now));
    announce(prediction.textContent);
  };
  userEvents.addEventListener("ratings", () => refresh().catch(() => {}), { signal });
  await showPrediction(prediction, id, signal);
}

async function showPrediction(place, id, signal) {
  if (current() === null) return clear(place, h("p", { className: "hint" }, "Rate a few movies to see the rating to expect."));
  const { items } = await get(`/users/${current()}/predictions?movie_id=${id}`, signal);
  const yours = ratingOf(id);
  const given = yours > 0 && h("p", { className: "hint" }, `You gave it ${plural(yours, "star")}.`);
  return clear(place, expected(items[0].expected_rating), given);
}

const alike = ({ items, generation }) => items.length
  ? h("ol", { className: "tickets two" }, items.map(({ movie }) => h("li", {}, ticket(movie))))
  : h("p", { className: "empty" },
    generation ? "Too few people have liked it to say." : "This list comes with the first training run.");

function histogram({ rating_count: count, rating_mean: mean, rating_histogram: bars }) {
  if (!count) return h("p", { className: "empty" }, "No ratings yet.");
  const summary = h("p", { className: "mean" }, h("b", {}, number(mean, 2)), ` from ${plural(count, "rating")}`);
  if (!bars) return summary;
  const most = Math.max(...bars.map((bar) => bar.count));
  const bar = ({ rating, count: given }) => h("div", { "--share": given / most },
    h("dt", { className: rating % 1 ? "half" : "" }, h("span", { className: "unseen" }, "Rated "), rating),
    h("dd", {}, number(given)));
  return [summary, h("dl", { className: "histogram" }, bars.map(bar))];
}
