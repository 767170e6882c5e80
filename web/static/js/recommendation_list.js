// The list of recommendations. A movie keeps its element from list to list, so that its move can be animated.

import { prefersReducedMotion, h } from "./dom.js";
import { expected, ticket } from "./movies.js";
import { markButtons } from "./marks.js";
import { LIKED, ratingOf } from "./user.js";
import { titled } from "./titles.js";

// Returns a function that shows items, best first; with `marked`, each shows how far it has moved. `same` is the reason
// that all have in common, and so is not repeated.
export function recommendationList(list) {
  let rows = new Map(); // movie id -> row
  return (items, { marked, personal, same }) => {
    const was = rows;
    const held = focused(list);
    const from = new Map([...was].map(([movie, { element }]) => [movie, element.offsetTop]));
    rows = new Map(items.map((item) => [item.movie.movie_id, was.get(item.movie.movie_id) ?? row(item.movie)]));
    items.forEach((item, at) => rows.get(item.movie.movie_id).update(item, at + 1, { marked: marked && was.size > 0, personal, same }));
    arrange(list, [...rows.values()].map(({ element }) => element));
    refocus(list, held);
    if (!prefersReducedMotion()) rows.forEach(({ element }, movie) => slide(element, from.get(movie)));
  };
}

function row(movie) {
  const rank = h("b"), moved = h("span", { className: "moved" }), why = h("div", { className: "because" });
  const aside = h("div", { className: "aside" });
  const element = h("li", {}, ticket(movie, { stub: [rank, moved], more: why, aside: [aside, markButtons(movie)] }));
  let place = null;
  const update = (item, now, { marked, personal, same }) => {
    rank.textContent = now;
    moved.textContent = marked ? movement(place, now) : "";
    place = now;
    aside.replaceChildren(expected(item.expected_rating, item.explored ? "few ratings yet" : personal ? "for you" : "average"));
    why.replaceChildren(...(same ? [] : because(item.because)));
  };
  return { element, update };
}

function movement(before, now) {
  if (before === null) return "new";
  if (before === now) return "";
  return before > now ? `▲ ${before - now}` : `▼ ${now - before}`;
}

const NAMED = 2; // movies that a reason names; its details have all
const liked = ({ movie_id: movie }) => ratingOf(movie) >= LIKED;
const reason = (reasons) => `Because you ${reasons.slice(0, NAMED).every(liked) ? "liked" : "rated"} `
  + reasons.slice(0, NAMED).map(titled).join(" and ");

// The reason of all items in words, if they have the same one.
export function sharedReason(items) {
  const texts = new Set(items.map(({ because }) => (because.length ? reason(because) : "")));
  return items.length > 1 && texts.size === 1 ? [...texts][0] : "";
}

function because(reasons) {
  if (!reasons.length) return [];
  const share = (each) => h("li", {}, h("a", { href: `#/movie/${each.movie_id}` }, titled(each)), ` ${Math.round(each.share * 100)}\u00a0%`);
  return [h("details", {}, h("summary", {}, reason(reasons)), h("p", {}, "Share of your ratings in this:"), h("ul", {}, reasons.map(share)))];
}

// Orders the elements, and moves only those that are out of place.
function arrange(list, elements) {
  for (const child of [...list.children]) if (!elements.includes(child)) child.remove();
  elements.forEach((element, at) => list.children[at] === element || list.insertBefore(element, list.children[at] ?? null));
}

// The focused element, and what describes its successor if it is removed.
function focused(list) {
  const element = list.contains(document.activeElement) ? document.activeElement : null;
  const at = [...list.children].findIndex((child) => child.contains(element));
  return element && { element, at, kind: element.dataset.mark ? `[data-mark=${element.dataset.mark}]` : "h3 a" };
}

function refocus(list, held) {
  if (!held || held.element === document.activeElement) return;
  const instead = list.children[Math.min(held.at, list.children.length - 1)]?.querySelector(held.kind);
  (held.element.isConnected ? held.element : instead)?.focus({ preventScroll: true });
}

function slide(element, from) {
  const far = from === undefined ? null : from - element.offsetTop;
  if (far === 0) return;
  const start = far === null ? { opacity: 0, transform: "translateY(12px)" } : { transform: `translateY(${far}px)` };
  element.animate([start, {}], { duration: 380, easing: "cubic-bezier(.2,.8,.2,1)" });
}
