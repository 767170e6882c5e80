// Movies to rate: the most informative ones, search results, or those already rated.

import { get, latestOnly, query, toastUnlessAborted } from "./api.js";
import { announce, clear, h, plural } from "./dom.js";
import { placeholders, ticket } from "./movies.js";
import { hidden, ratedMovies, ratingCount, ratingOf } from "./user.js";

const TYPING = 180; // ms
const FEW = 5; // ratings that say little about a taste
const AT_ONCE = matchMedia("(min-width: 56rem)").matches ? 10 : 5; // movies; on a small screen the recommendations stand below
const state = { typed: "", mine: false }; // kept while another view is open

async function informative(signal) {
  const movies = [];
  let cursor = null;
  do {
    const page = await get(`/movies${query({ sort: "informative", limit: 20, cursor })}`, signal);
    movies.push(...page.items.filter(({ movie_id: movie }) => !ratingOf(movie) && !hidden().includes(movie)));
    cursor = page.next_cursor;
  } while (movies.length < AT_ONCE && cursor);
  return movies;
}
const found = async (signal) => (await get(`/movies${query({ q: state.typed, limit: 50 })}`, signal)).items;
const mine = async () => ratedMovies();

export function ratePanel(signal) {
  const list = h("ol", { className: "tickets" }, placeholders(AT_ONCE));
  const more = h("div", { className: "more" });
  const head = h("h2", { id: "rate-head" });
  const tabs = [tab("To rate", false), tab("", true)];
  const nextSignal = latestOnly(signal);
  let shown = [];

  function tab(name, isMine) {
    const pick = () => {
      Object.assign(state, { typed: "", mine: isMine });
      field.value = "";
      open();
    };
    return h("button", { type: "button", className: "tab", onclick: pick }, name);
  }

  const label = () => {
    tabs[1].textContent = `Your ratings (${ratingCount()})`;
    tabs.forEach((each, at) => each.setAttribute("aria-pressed", !state.typed && state.mine === Boolean(at)));
  };
  const name = () => {
    head.textContent = state.typed ? `Found for “${state.typed}”` : state.mine ? "Rated by you"
      : ratingCount() < FEW ? "Movies worth rating first" : "More to rate";
  };

  const draw = (movies, upTo = AT_ONCE) => {
    shown = movies;
    name();
    const tickets = movies.slice(0, upTo).map((movie) => h("li", {}, ticket(movie)));
    clear(list, tickets.length ? tickets : h("li", { className: "empty" }, nothing()));
    const rest = Math.min(movies.length - upTo, AT_ONCE);
    clear(more, rest > 0 && h("button", { type: "button", className: "quiet", onclick: () => showMore(upTo) }, `Show ${rest} more`));
  };
  const showMore = (from) => {
    draw(shown, from + AT_ONCE);
    list.children[from].querySelector("a").focus();
  };

  const open = async () => {
    const latest = nextSignal();
    label();
    try {
      const movies = await (state.typed ? found : state.mine ? mine : informative)(latest);
      draw(movies);
      if (state.typed) announce(`${plural(movies.length, "movie")} found`);
    } catch (error) {
      toastUnlessAborted(error);
    }
  };

  // the list stays while its movies are rated; only movies rated elsewhere are added
  const refresh = () => {
    label();
    const rated = ratedMovies();
    const there = new Set(shown.map((movie) => movie.movie_id));
    if (state.mine && !state.typed && rated.some((movie) => !there.has(movie.movie_id))) draw(rated);
  };

  let typing;
  const type = () => {
    state.typed = field.value.trim();
    clearTimeout(typing);
    typing = setTimeout(open, TYPING);
  };
  const field = h("input", { type: "search", id: "search", placeholder: "Title, a few words are enough", autocomplete: "off",
    spellcheck: false, value: state.typed, oninput: type });
  const element = h("section", { className: "rate", "aria-labelledby": "rate-head" },
    h("div", { role: "search", className: "search" }, h("label", { htmlFor: "search" }, "Find a movie"), field),
    h("div", { className: "head" }, head, h("div", { className: "tabs", role: "group", "aria-label": "Movies to show" }, tabs)),
    list, more);
  label();
  name();
  return { element, open, refresh };
}

const nothing = () => state.typed ? `No movie matches “${state.typed}”. A few words of the title are enough.`
  : state.mine ? "No ratings yet. Movies that you rate appear here."
  : "You have rated every movie.";
