// Shelves below the list: more of what one likes, and a surprise. They load when they come into view; no movie stands twice.

import { get, latestOnly, query, read } from "./api.js";
import { clear, h } from "./dom.js";
import { newSince } from "./news.js";
import { poster } from "./posters.js";
import { genreOf, hue, titled } from "./titles.js";
import { current, LIKED, marked, ratedMovies, ratingOf } from "./user.js";

const SIZE = 8; // movies in a shelf
const SPARE = 16; // similar movies to choose from, since some stand elsewhere
const EXPLORED = 0.5; // the share of a surprise's places that movies with few ratings may have
const FURTHER = [20, 220]; // places in the list that a surprise comes from

// `taken` returns the ids of movies that are shown above. Returns the element, and a function for when ratings have changed.
export function shelves(signal, taken) {
  const element = h("div", { className: "shelves" });
  const nextSignal = latestOnly(signal);
  let [stale, visible] = [true, false];

  async function load() {
    if (!visible || !stale || current() === null) return;
    stale = false;
    const latest = nextSignal();
    let wanted = wishes();
    if (!element.children.length) clear(element, wanted.map(({ title }) => shelf(title, waiting())));
    try {
      wanted = [await newHere(), ...wanted]; // first, since nothing else shows them first
      const shown = new Set([...taken(), ...marked("hidden"), ...marked("seen"), ...ratedMovies()].map((movie) => movie.movie_id ?? movie));
      const filled = [];
      for (const { title, fetch, again } of wanted) filled.push([title, choose(await fetch(latest, [...shown]), shown), again]); // in turn: each leaves out what stands above
      clear(element, filled.map(([title, items, again]) => items.length > 0 && shelf(title, items.map(card), again && surpriseButton())));
    } catch (error) {
      if (latest.aborted) return;
      stale = true;
      clear(element, h("p", { className: "empty" }, error.message));
    }
  }
  const refresh = () => {
    stale = true;
    return load();
  };
  const surpriseButton = () => h("button", { type: "button", className: "quiet", "aria-label": "Surprise me again", onclick: async () => {
    await refresh();
    element.querySelector("button")?.focus({ preventScroll: true });
  } }, "Again");
  const observer = new IntersectionObserver(([{ isIntersecting }]) => {
    visible = isIntersecting;
    load();
  }, { rootMargin: "200px" });
  observer.observe(element);
  signal.addEventListener("abort", () => observer.disconnect());
  return { element, refresh };
}

// Only as many as are shown, since the service records what it recommends as shown.
const recommended = (filter) => async (signal, exclude) =>
  (await read(`/users/${current()}/recommendations`, { limit: SIZE, exclude, ...filter }, signal)).items;
const similar = ({ movie_id: movie }) => async (signal) => (await get(`/movies/${movie}/similar${query({ limit: SPARE })}`, signal)).items;

// The shelves of this person, by their latest like and most liked genre.
function wishes() {
  const liked = ratedMovies().filter(({ movie_id: movie }) => ratingOf(movie) >= LIKED);
  const genres = new Map();
  for (const movie of liked) genres.set(genreOf(movie), (genres.get(genreOf(movie)) ?? 0) + 1);
  const [genre] = [...genres].sort((a, b) => b[1] - a[1])[0] ?? [];
  const offset = Math.floor(FURTHER[0] + Math.random() * (FURTHER[1] - FURTHER[0]));
  return [marked("later").length > 0 && { title: "Your watchlist", fetch: recommended({ later: "only", min_ratings: 0 }) },
    liked.length > 0 && { title: `Because you liked ${titled(liked[0])}`, fetch: similar(liked[0]) },
    genre && { title: `${genre}, which you like`, fetch: recommended({ genre: [genre] }) },
    { title: "Surprise me", fetch: recommended({ offset, explore: EXPLORED }), again: true }].filter(Boolean);
}

const newHere = async () => ({ title: "New here", fetch: recommended({ added_since: (await newSince()).toISOString(), min_ratings: 0 }) });

function choose(items, shown) {
  const chosen = items.filter(({ movie }) => !shown.has(movie.movie_id)).slice(0, SIZE);
  for (const { movie } of chosen) shown.add(movie.movie_id);
  return chosen;
}

function shelf(title, cards, action) {
  const id = `shelf-${title.replace(/\W+/g, "-")}`;
  return h("section", { "aria-labelledby": id }, h("div", { className: "head" }, h("h2", { id }, title), action), h("ol", { className: "shelf" }, cards));
}

const card = ({ movie, expected_rating: rating }) => h("li", {}, h("article", { className: "card", "--hue": hue(movie) },
  h("div", { className: "stub" }, poster(movie)), h("h3", {}, h("a", { href: `#/movie/${movie.movie_id}` }, titled(movie))),
  h("p", { className: "about" }, [movie.year, rating && `★\u00a0${rating.toFixed(1)}\u00a0for\u00a0you`].filter(Boolean).join(" · "))));
const waiting = () => Array.from({ length: SIZE }, () => h("li", { className: "placeholder", "aria-hidden": "true" }));
