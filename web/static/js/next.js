// What to watch next: the list, what it was made from, and what may be in it.

import { ask, get, newest, query, unlessDropped } from "./api.js";
import { announce, clear, h, several } from "./dom.js";
import { filters, wanted } from "./filters.js";
import { current, hidden, recheck, unhide } from "./person.js";
import { peekAt } from "./peek.js";
import { placesIn } from "./places.js";
import { titled } from "./titles.js";

const PAGE = 10;
const MOST = 100; // that the service gives at once

export function nextSide(signal) {
  const list = h("ol", { className: "tickets", id: "next" });
  const place = placesIn(list);
  const how = h("p", { className: "how" });
  const foot = h("div", { className: "more" });
  const head = h("h2", { id: "next-head", tabIndex: -1 }, "Watch next");
  const turn = newest(signal);
  let pages = 1;
  let before = null;

  const refresh = async (marked = true) => {
    const dropped = turn();
    list.setAttribute("aria-busy", "true");
    try {
      const { items, answer, more } = await unhidden(PAGE * pages, dropped);
      clear(how, told(answer));
      place(items, marked);
      if (!items.length) clear(list, h("li", { className: "empty" }, "No movie passes. Widen the years, or choose another genre."));
      clear(foot, more && quiet("Show more", further), hidden().length > 0 && quiet(`Show ${hidden().length} hidden`, unhide));
      tellOf(items);
    } catch (error) {
      if (error.status === 404) await recheck();
      else unlessDropped(error);
    } finally {
      if (!dropped.aborted) list.removeAttribute("aria-busy");
    }
  };
  const further = () => {
    pages += 1;
    return refresh(false);
  };
  const tellOf = (items) => {
    const now = items.map(({ movie }) => movie.movie_id).join();
    const news = items.length ? `The list has changed. First is ${titled(items[0].movie)}.` : "The list is empty.";
    if (before !== null && now !== before) announce(news);
    before = now;
    peek(items[0]?.movie);
  };
  const narrow = () => {
    pages = 1;
    return refresh(false);
  };
  const element = h("section", { className: "next", "aria-labelledby": "next-head" },
    h("div", { className: "head" }, head, filters(signal, narrow)), how, list, foot);
  const peek = peekAt(element, head, signal);
  return { element, refresh, open: () => refresh(false) };
}

const quiet = (text, onclick) => h("button", { type: "button", className: "quiet", onclick }, text);

// So many movies as asked for beside those that are hidden here, and whether there are more.
async function unhidden(count, signal) {
  const gone = hidden();
  const items = [];
  for (let offset = 0; ; offset += MOST) {
    const limit = Math.min(MOST, count + gone.length + 1);
    const answer = await recommended({ ...wanted, limit, offset }, signal);
    items.push(...answer.items.filter(({ movie }) => !gone.includes(movie.movie_id)));
    const more = items.length > count;
    if (more || answer.items.length < limit) return { answer, items: items.slice(0, count), more };
  }
}

const recommended = (asked, signal) => {
  if (current() !== null) return get(`/users/${current()}/recommendations${query(asked)}`, signal);
  const { genre, year_from: from, year_to: to, ...rest } = asked;
  const given = { ...(genre && { genre: [genre] }), ...(from && { year_from: Number(from) }), ...(to && { year_to: Number(to) }) };
  return ask("/recommendations", { ratings: [], ...rest, ...given }, signal);
};

const MADE = {
  personal: (ratings) => `, from your ${ratings}`,
  blended: (ratings) => `, from your ${ratings} and what people like`,
  popular: (ratings, { generation, ratings_seen: seen }) => !generation ? ", until the first training is done"
    : seen ? ": your ratings say little yet" : ": rate a movie, and the list becomes yours",
};

function told(answer) {
  const made = MADE[answer.strategy](several(answer.ratings_seen, "rating"), answer);
  const name = answer.strategy[0].toUpperCase() + answer.strategy.slice(1);
  const trained = answer.generation && [" · ", h("a", { href: "#/engine" }, `generation ${answer.generation.id}`)];
  return [h("b", { className: "strategy" }, name), made, trained];
}
