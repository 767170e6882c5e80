// A movie: its title and genres, how people rated it, the expected rating, and similar movies.

import { moviesAddress } from "./address.js";
import { get, query } from "./api.js";
import { announce, clear, h, number, plural } from "./dom.js";
import { markButtons, refreshMarks } from "./marks.js";
import { expected, ticket } from "./movies.js";
import { isNew } from "./news.js";
import { poster } from "./posters.js";
import { current, LIKED, ratingOf, ratingsLoaded, userEvents } from "./user.js";
import { refreshStars, stars } from "./stars.js";
import { alternatives, hue, titled } from "./titles.js";

const ENOUGH = 5; // likes that say what else people like
const RATED = "How people rated it";
const SIMILAR = "People who liked this also liked";

// What stands there until the movie has come, in about the same places.
const skeleton = () => h("div", { className: "movie", "--hue": 250 },
  h("header", { className: "movie-head waiting" }, h("h1", {}, "Loading …")),
  [RATED, SIMILAR].map((title) => h("section", {}, h("h2", {}, title), h("div", { className: "histogram" }))));

export async function movie(main, id, signal) {
  clear(main, skeleton());
  const [found, like] = await Promise.all([get(`/movies/${id}`, signal).then(async (details) => ({ ...details, fresh: await isNew(details) })), get(`/movies/${id}/similar?limit=8`, signal), ratingsLoaded()]);
  const prediction = h("div"), ratings = h("div", { className: "people-said" });
  const other = alternatives(found);
  document.title = `${titled(found)} – Matinee`;
  clear(main, h("div", { className: "movie", "--hue": hue(found) },
    h("header", { className: "movie-head" }, h("div", { className: "stub" }, poster(found)), h("div", { className: "movie-text" },
      h("p", {}, h("a", { href: moviesAddress(), className: "back" }, "← Back to movies")),
      h("h1", {}, titled(found)), other && h("p", { className: "other" }, other), about(found), elsewhere(found),
      h("div", { className: "movie-rate" }, stars(found), prediction), markButtons(found, { words: true }))),
    h("section", { "aria-labelledby": "people" }, h("h2", { id: "people" }, RATED), ratings),
    h("section", { "aria-labelledby": "like" }, h("h2", { id: "like" }, SIMILAR), alike(like, found))));
  clear(ratings, histogram(found));
  const refresh = async () => {
    refreshStars(main);
    refreshMarks(main);
    const [now] = await Promise.all([get(`/movies/${id}`, signal), showPrediction(prediction, id, signal)]);
    clear(ratings, histogram(now));
    announce(prediction.textContent);
  };
  userEvents.addEventListener("ratings", () => refresh().catch(() => {}), { signal });
  await showPrediction(prediction, id, signal);
}

// The year, the decade and the genres; the last two lead to a list of such movies.
function about({ year, genres }) {
  const decade = year && Math.floor(year / 10) * 10;
  const links = [decade && ["The " + decade + "s", { from: decade, to: decade + 9 }], ...genres.map((genre) => [genre, { genre }])].filter(Boolean);
  return h("p", { className: "about" }, year, links.map(([name, filter]) => [year || name !== links[0][0] ? " · " : "", h("a", { href: `#/${query(filter)}` }, name)]));
}

// Whether it is new, tags that people gave, and the movie's pages at others, opened only by a click.
function elsewhere({ fresh, tags, links }) {
  const sites = [["IMDb", links?.imdb], ["TMDB", links?.tmdb]].filter(([, address]) => address);
  const outward = ([name, href]) => h("a", { href, target: "_blank", rel: "noreferrer noopener" }, `${name}\u00a0↗`);
  return [fresh && h("p", { className: "about" }, h("b", {}, "New here")), tags?.length > 0 && h("ul", { className: "tags", "aria-label": "Tags" }, tags.map((tag) => h("li", {}, tag.tag ?? tag))),
    sites.length > 0 && h("p", { className: "row about" }, sites.map(outward))];
}

async function showPrediction(place, id, signal) {
  if (current() === null) return clear(place, h("p", { className: "hint" }, "Rate a few movies to see the rating to expect."));
  const { items } = await get(`/users/${current()}/predictions?movie_id=${id}`, signal);
  const yours = ratingOf(id);
  const given = yours > 0 && h("p", { className: "hint" }, `You gave it ${plural(yours, "star")}.`);
  return clear(place, expected(items[0].expected_rating), given);
}

const likes = ({ rating_count: count, rating_histogram: bars }) =>
  bars ? bars.reduce((sum, bar) => sum + (bar.rating >= LIKED ? bar.count : 0), 0) : count;

const alike = ({ items, generation }, found) => items.length && likes(found) >= ENOUGH
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
