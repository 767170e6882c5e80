// What to rate: movies that tell most of a person, those found by title, or those rated already.

import { get, newest, query, unlessDropped } from "./api.js";
import { announce, clear, h, several } from "./dom.js";
import { ticket } from "./movies.js";
import { hidden, ratedMovies, ratingCount, ratingOf } from "./person.js";

const TYPING = 180; // ms
const FEW = 5; // ratings that say little of a person
const AT_ONCE = matchMedia("(min-width: 56rem)").matches ? 10 : 5; // movies; on a small screen the list comes after them
const left = { typed: "", mine: false }; // as it was left for another view

async function toBegin(signal) {
  const movies = [];
  let cursor = null;
  do {
    const page = await get(`/movies${query({ sort: "informative", limit: 20, cursor })}`, signal);
    movies.push(...page.items.filter(({ movie_id: movie }) => !ratingOf(movie) && !hidden().includes(movie)));
    cursor = page.next_cursor;
  } while (movies.length < AT_ONCE && cursor);
  return movies;
}
const found = async (signal) => (await get(`/movies${query({ q: left.typed, limit: 50 })}`, signal)).items;
const mine = async () => ratedMovies();

export function rateSide(signal) {
  const list = h("ol", { className: "tickets" });
  const more = h("div", { className: "more" });
  const head = h("h2", { id: "rate-head" });
  const tabs = [tab("To rate", false), tab("", true)];
  const turn = newest(signal);
  let shown = [];

  function tab(name, isMine) {
    const pick = () => {
      Object.assign(left, { typed: "", mine: isMine });
      field.value = "";
      open();
    };
    return h("button", { type: "button", className: "tab", onclick: pick }, name);
  }

  const label = () => {
    tabs[1].textContent = `Your ratings (${ratingCount()})`;
    tabs.forEach((each, at) => each.setAttribute("aria-pressed", !left.typed && left.mine === Boolean(at)));
  };
  const name = () => {
    head.textContent = left.typed ? `Found for “${left.typed}”` : left.mine ? "Rated by you"
      : ratingCount() < FEW ? "Movies worth rating first" : "More to rate";
  };

  const draw = (movies, upTo = AT_ONCE) => {
    shown = movies;
    name();
    const tickets = movies.slice(0, upTo).map((movie) => h("li", {}, ticket(movie)));
    clear(list, tickets.length ? tickets : h("li", { className: "empty" }, nothing()));
    const rest = Math.min(movies.length - upTo, AT_ONCE);
    clear(more, rest > 0 && h("button", { type: "button", className: "quiet", onclick: () => further(upTo) }, `Show ${rest} more`));
  };
  const further = (from) => {
    draw(shown, from + AT_ONCE);
    list.children[from].querySelector("a").focus();
  };

  const open = async () => {
    const dropped = turn();
    label();
    try {
      const movies = await (left.typed ? found : left.mine ? mine : toBegin)(dropped);
      draw(movies);
      if (left.typed) announce(`${several(movies.length, "movie")} found`);
    } catch (error) {
      unlessDropped(error);
    }
  };

  // a list under the hand that rates stays as it is, but for movies that were rated elsewhere
  const refresh = () => {
    label();
    const rated = ratedMovies();
    const there = new Set(shown.map((movie) => movie.movie_id));
    if (left.mine && !left.typed && rated.some((movie) => !there.has(movie.movie_id))) draw(rated);
  };

  let typing;
  const type = () => {
    left.typed = field.value.trim();
    clearTimeout(typing);
    typing = setTimeout(open, TYPING);
  };
  const field = h("input", { type: "search", id: "search", placeholder: "Title, a few words are enough", autocomplete: "off",
    spellcheck: false, value: left.typed, oninput: type });
  const element = h("section", { className: "rate", "aria-labelledby": "rate-head" },
    h("div", { role: "search", className: "search" }, h("label", { htmlFor: "search" }, "Find a movie"), field),
    h("div", { className: "head" }, head, h("div", { className: "tabs", role: "group", "aria-label": "Movies to show" }, tabs)),
    list, more);
  return { element, open, refresh };
}

const nothing = () => left.typed ? `Nothing is called “${left.typed}”. A few words of the title are enough.`
  : left.mine ? "Nothing yet. Give a movie some stars, and it is kept here."
  : "You have rated every movie there is.";
