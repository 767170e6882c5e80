// Movies to rate: the most informative ones, search results, or those already rated.

import { count, parameter, setParameters } from "./address.js";
import { get, latestOnly, query } from "./api.js";
import { announce, clear, h, plural } from "./dom.js";
import { placeholders, ticket } from "./movies.js";
import { markOf, ratedMovies, ratingCount, ratingOf } from "./user.js";

const TYPING = 180; // ms
const FEW = 5; // ratings that say little about a taste
const AT_ONCE = matchMedia("(min-width: 56rem)").matches ? 10 : 5; // movies; on a small screen the recommendations stand below
const LONGEST = 100; // movies shown at once
const MANY = 40; // movies of the service to choose from

// The state of this panel is in the address.
const typed = () => parameter("q");
const mine = () => parameter("tab") === "mine";

// Movies that are neither rated nor hidden, and not in the list beside these.
async function informative(signal, listed) {
  const movies = [];
  let cursor = null;
  do {
    const [page, beside] = await Promise.all([get(`/movies${query({ sort: "informative", limit: MANY, cursor })}`, signal), listed]);
    const fresh = ({ movie_id: movie }) => !ratingOf(movie) && markOf(movie) !== "hidden" && !beside.has(movie);
    movies.push(...page.items.filter(fresh));
    cursor = page.next_cursor;
  } while (movies.length < AT_ONCE && cursor);
  return movies;
}
const found = async (signal) => (await get(`/movies${query({ q: typed(), limit: 50 })}`, signal)).items;

export function ratePanel(signal) {
  const list = h("ol", { className: "tickets" }, placeholders(AT_ONCE));
  const more = h("div", { className: "more" });
  const head = h("h2", { id: "rate-head" });
  const tabs = [tab("To rate", false), tab("", true)];
  const nextSignal = latestOnly(signal);
  let shown = [];
  let listed = Promise.resolve(new Set()); // the ids of the recommended movies

  function tab(name, isMine) {
    const pick = () => {
      setParameters({ q: "", more: "", tab: isMine && "mine" }, true);
      field.value = "";
      open();
    };
    return h("button", { type: "button", className: "tab", onclick: pick }, name);
  }

  const label = () => {
    tabs[1].textContent = `Your ratings (${ratingCount()})`;
    tabs.forEach((each, at) => each.setAttribute("aria-pressed", !typed() && mine() === Boolean(at)));
  };
  const name = () => {
    head.textContent = typed() ? `Found for “${typed()}”` : mine() ? "Rated by you"
      : ratingCount() < FEW ? "Movies worth rating first" : "More to rate";
  };

  const draw = (movies, upTo = count("more", AT_ONCE, LONGEST)) => {
    shown = movies;
    name();
    const tickets = movies.slice(0, upTo).map((movie) => h("li", {}, ticket(movie)));
    clear(list, tickets.length ? tickets : h("li", { className: "empty" }, nothing()));
    const rest = Math.min(movies.length - upTo, AT_ONCE);
    clear(more, rest > 0 && h("button", { type: "button", className: "quiet", onclick: () => showMore(upTo) }, `Show ${rest} more`));
  };
  const showMore = (from) => {
    setParameters({ more: from + AT_ONCE });
    draw(shown, from + AT_ONCE);
    list.children[from].querySelector("a").focus();
  };

  const open = async (beside = listed) => {
    listed = beside;
    const latest = nextSignal();
    label();
    try {
      const movies = typed() ? await found(latest) : mine() ? ratedMovies() : await informative(latest, listed);
      draw(movies);
      if (typed()) announce(`${plural(movies.length, "movie")} found`);
    } catch (error) {
      if (latest.aborted) return;
      clear(list, h("li", { className: "empty" }, error.message));
    }
  };

  // the list stays while its movies are rated; only movies rated elsewhere are added
  const refresh = () => {
    label();
    const rated = ratedMovies();
    const there = new Set(shown.map((movie) => movie.movie_id));
    if (mine() && !typed() && rated.some((movie) => !there.has(movie.movie_id))) draw(rated);
  };

  let typing;
  const type = () => {
    setParameters({ q: field.value.trim(), more: "" });
    clearTimeout(typing);
    typing = setTimeout(() => open(), TYPING);
  };
  const field = h("input", { type: "search", id: "search", placeholder: "Title, a few words are enough", "aria-keyshortcuts": "/", autocomplete: "off",
    spellcheck: false, value: typed(), oninput: type });
  const element = h("section", { className: "rate", "aria-labelledby": "rate-head" },
    h("div", { role: "search", className: "search" }, h("label", { htmlFor: "search" }, "Find a movie"), field),
    h("div", { className: "head" }, head, h("div", { className: "tabs", role: "group", "aria-label": "Movies to show" }, tabs)),
    list, more);
  label();
  name();
  const ids = () => shown.slice(0, list.children.length).map((movie) => movie.movie_id);
  return { element, open, refresh, ids };
}

const nothing = () => typed() ? `No movie matches “${typed()}”. A few words of the title are enough.`
  : mine() ? "No ratings yet. Movies that you rate appear here."
  : "You have rated every movie.";
