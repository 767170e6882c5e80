// Recommendations: the list, how it was made, and its filters.

import { get, latestOnly, read, query, toastUnlessAborted } from "./api.js";
import { announce, clear, h, plural, prefersReducedMotion } from "./dom.js";
import { filters, wanted } from "./filters.js";
import { placeholders } from "./movies.js";
import { current, hidden, reloadUser, unhide } from "./user.js";
import { recommendationList } from "./recommendation_list.js";
import { brief, titled } from "./titles.js";

const PAGE = 10;
const MAX_LIMIT = 100; // of the service

export function recommendationPanel(signal) {
  const list = h("ol", { className: "tickets", id: "next" }, placeholders(PAGE));
  const draw = recommendationList(list);
  const how = h("p", { className: "how" });
  const foot = h("div", { className: "more" });
  const head = h("h2", { id: "next-head", tabIndex: -1 }, "Watch next");
  const nextSignal = latestOnly(signal);
  let pages = 1;
  let before = null;

  const refresh = async (marked = true) => {
    const latest = nextSignal();
    list.setAttribute("aria-busy", "true");
    try {
      const { items, answer, more } = await unhidden(PAGE * pages, latest);
      clear(how, describe(answer));
      draw(items, marked);
      if (!items.length) clear(list, h("li", { className: "empty" }, "No movies match. Widen the years, or choose another genre."));
      clear(foot, more && quiet("Show more", showMore), hidden().length > 0 && quiet(`Show ${hidden().length} hidden`, unhide));
      announceChange(items);
    } catch (error) {
      if (error.status === 404) await reloadUser();
      else toastUnlessAborted(error);
    } finally {
      if (!latest.aborted) list.removeAttribute("aria-busy");
    }
  };
  const showMore = () => {
    pages += 1;
    return refresh(false);
  };
  const announceChange = (items) => {
    const now = items.map(({ movie }) => movie.movie_id).join();
    const news = items.length ? `The list has changed. First is ${titled(items[0].movie)}.` : "The list is empty.";
    if (before !== null && now !== before) announce(news);
    before = now;
    peek(items[0]?.movie);
  };
  const filtersChanged = () => {
    pages = 1;
    return refresh(false);
  };
  const element = h("section", { className: "next", "aria-labelledby": "next-head" },
    h("div", { className: "head" }, head, filters(signal, filtersChanged)), how, list, foot);
  const peek = preview(element, head, signal);
  return { element, refresh, open: () => refresh(false) };
}

const quiet = (text, onclick) => h("button", { type: "button", className: "quiet", onclick }, text);

// Fetches `count` movies that are not hidden on this device, and whether there are more.
async function unhidden(count, signal) {
  const excluded = hidden();
  const items = [];
  for (let offset = 0; ; offset += MAX_LIMIT) {
    const limit = Math.min(MAX_LIMIT, count + excluded.length + 1);
    const answer = await recommended({ ...wanted, limit, offset }, signal);
    items.push(...answer.items.filter(({ movie }) => !excluded.includes(movie.movie_id)));
    const more = items.length > count;
    if (more || answer.items.length < limit) return { answer, items: items.slice(0, count), more };
  }
}

const recommended = (filter, signal) => {
  if (current() !== null) return get(`/users/${current()}/recommendations${query(filter)}`, signal);
  const { genre, year_from: from, year_to: to, ...rest } = filter;
  const given = { ...(genre && { genre: [genre] }), ...(from && { year_from: Number(from) }), ...(to && { year_to: Number(to) }) };
  return read("/recommendations", { ratings: [], ...rest, ...given }, signal);
};

const HOW_MADE = {
  personal: (ratings) => `, from your ${ratings}`,
  blended: (ratings) => `, from your ${ratings} and what people like`,
  popular: (ratings, { generation, ratings_seen: seen }) => !generation ? ", until the first training run is done"
    : seen ? ": your ratings say little yet" : ": rate a movie, and the list becomes yours",
};

function describe(answer) {
  const made = HOW_MADE[answer.strategy](plural(answer.ratings_seen, "rating"), answer);
  const name = answer.strategy[0].toUpperCase() + answer.strategy.slice(1);
  const trained = answer.generation && [" · ", h("a", { href: "#/engine" }, `generation ${answer.generation.id}`)];
  return [h("b", { className: "strategy" }, name), made, trained];
}

// On a small screen: the first recommendation, while the list is out of view.
// Returns a function that shows the first movie of the list in `section`.
function preview(section, head, signal) {
  const dock = document.getElementById("peek");
  const go = () => {
    section.scrollIntoView({ behavior: prefersReducedMotion() ? "auto" : "smooth" });
    head.focus({ preventScroll: true });
  };
  const observer = new IntersectionObserver(([{ isIntersecting }]) => (dock.hidden = isIntersecting), { rootMargin: "0px 0px -90px" });
  observer.observe(section);
  signal.addEventListener("abort", () => {
    observer.disconnect();
    dock.hidden = true;
    clear(dock);
  });
  let before;
  return (movie) => {
    if (movie?.movie_id === before) return;
    before = movie?.movie_id;
    clear(dock, movie && h("button", { type: "button", onclick: go },
      h("span", {}, "Watch next"), h("b", {}, brief(movie)), h("i", { "aria-hidden": "true" }, "↓")));
  };
}
