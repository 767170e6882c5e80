// Recommendations: the list, how it was made, and its filters.

import { count, setParameters } from "./address.js";
import { get, latestOnly, post, query, read } from "./api.js";
import { announce, clear, h, plural, since, prefersReducedMotion } from "./dom.js";
import { filters, wanted } from "./filters.js";
import { placeholders } from "./movies.js";
import { current, marked as withMark, reloadUser } from "./user.js";
import { recommendationList, sharedReason } from "./recommendation_list.js";
import { titled } from "./titles.js";

const PAGE = 10;
const MAX_LIMIT = 100; // of the service
const LONGEST = 500; // movies shown at once
const size = () => count("shown", PAGE, LONGEST);

export function recommendationPanel(signal) {
  const list = h("ol", { className: "tickets", id: "next" }, placeholders(PAGE));
  const draw = recommendationList(list);
  const how = h("div", { className: "how" }, h("p", {}, "\u00a0"), h("p", {}, "\u00a0")); // the height of what comes
  const foot = h("div", { className: "more" });
  const head = h("h2", { id: "next-head", tabIndex: -1 }, "Watch next");
  const nextSignal = latestOnly(signal);
  let before = null;
  let shown = [];
  let listId = null; // under which the service has recorded that it is shown
  let listed; // resolves to the ids of the first list
  const open = () => new Promise((resolve) => {
    listed = resolve;
    refresh(false);
  });

  const refresh = async (marked = true) => {
    const latest = nextSignal();
    list.setAttribute("aria-busy", "true");
    try {
      const { items, answer, more } = await fetchList(size(), latest);
      const same = sharedReason(items);
      const explained = how.querySelector("details")?.open;
      clear(how, describe(answer, same, explained));
      draw(items, { marked, personal: answer.strategy !== "popular", same });
      shown = items.map(({ movie }) => movie.movie_id);
      listId = answer.list_id;
      listed(new Set(shown));
      if (!items.length) clear(list, h("li", { className: "empty" }, "No movies match. Widen the years, or choose another genre."));
      clear(foot, more && quiet("Show more", showMore), withMark("hidden").length > 0 && h("a", { href: "#/you" }, `${withMark("hidden").length} hidden`));
      announceChange(items);
    } catch (error) {
      if (error.status === 404) return await reloadUser();
      if (latest.aborted) return;
      listed(new Set());
      clear(how);
      clear(list, h("li", { className: "empty" }, error.message, " ", quiet("Try again", () => refresh())));
    } finally {
      if (!latest.aborted) list.removeAttribute("aria-busy");
    }
  };
  const showMore = () => {
    setParameters({ shown: size() + PAGE });
    return refresh(false);
  };
  const announceChange = (items) => {
    const now = shown.join();
    const news = items.length ? `The list has changed. First is ${titled(items[0].movie)}.` : "The list is empty.";
    if (before !== null && now !== before) announce(news);
    before = now;
    peek(items[0]?.movie);
  };
  const element = h("section", { className: "next", "aria-labelledby": "next-head" },
    h("div", { className: "head" }, head, filters(signal, () => refresh(false))), how, list, foot);
  list.addEventListener("click", ({ target }) => {
    const link = target.closest("h3 a");
    if (link && listId) opened(listId, Number(link.hash.split("/")[2]));
  });
  const peek = preview(element, head, signal);
  return { element, refresh, open, ids: () => shown };
}

// Only statistics depend on it, so a failure is nobody's concern.
const opened = (list, movie) => post("/events", { list_id: list, movie_id: movie, event: "opened" }).catch(() => {});

const quiet = (text, onclick) => h("button", { type: "button", className: "quiet", onclick }, text);

// Fetches `most` movies, and whether there are more.
async function fetchList(most, signal) {
  const items = [];
  for (;;) {
    const limit = Math.min(MAX_LIMIT, most - items.length); // no more than is shown: the service records it as shown
    const answer = await recommended({ ...wanted(), limit, offset: items.length }, signal);
    items.push(...answer.items);
    const more = answer.items.length === limit;
    if (items.length >= most || !more) return { answer, items, more };
  }
}

const recommended = ({ diversity, later, ...filter }, signal) => {
  if (current() !== null) return get(`/users/${current()}/recommendations${query({ diversity, later, ...filter })}`, signal);
  const given = Object.entries(filter).filter(([, value]) => value !== "" && value.length !== 0); // a guest has no likes to vary
  return read("/recommendations", { ratings: [], ...Object.fromEntries(given) }, signal);
};

const SOURCES = {
  personal: (ratings) => `From your ${ratings}`,
  blended: (ratings) => `From your ${ratings}, and what people like`,
  popular: (ratings, { generation, ratings_seen: seen }) => !generation ? "Popular with everyone, until the first training run is done"
    : seen ? "Popular with everyone: your ratings say little yet" : "Popular with everyone. Rate a movie to make this list yours",
};

// What the list is made from, a reason that all its movies share, and more on demand.
const describe = ({ strategy, generation, ratings_seen: seen, ...answer }, same, open) => [
  h("p", {}, SOURCES[strategy](plural(seen, "rating"), { generation, ratings_seen: seen, ...answer }), ".", same && ` ${same}.`),
  h("details", { open }, h("summary", {}, "How this list is made"),
    h("p", {}, "People with a taste like yours decide the order: what they liked and you have not rated comes first. ",
      "Until you have rated about 25 movies, what everyone likes counts as well. The number beside a movie is the rating ",
      "that you would probably give it, or the average where nothing is known of you."),
    h("p", {}, generation
      ? ["Learned from everyone’s ratings ", since(generation.trained_at), " (", h("a", { href: "#/engine" }, `generation ${generation.id}`), ")."]
      : "Nothing has been learned from the ratings yet."))];

// On a small screen: the first recommendation, while the list is out of view.
// Returns a function that shows the first movie of the list in `section`.
function preview(section, head, signal) {
  const dock = document.getElementById("peek");
  const go = () => {
    section.scrollIntoView({ behavior: prefersReducedMotion() ? "auto" : "smooth" });
    head.focus({ preventScroll: true });
  };
  const observer = new IntersectionObserver(([{ isIntersecting, boundingClientRect: box }]) => (dock.hidden = isIntersecting || box.top < 0), { rootMargin: "0px 0px -90px" });
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
      h("span", {}, "Watch next"), h("b", {}, titled(movie)), h("i", { "aria-hidden": "true" }, "↓")));
  };
}
