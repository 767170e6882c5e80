// Buttons for what one says of a movie without a rating: seen, to watch later, hidden. Pressed again, a mark is removed.

import { h, toast } from "./dom.js";
import { titled } from "./titles.js";
import { mark, markOf } from "./user.js";

const KINDS = {
  seen: { sign: "✓", word: "Seen", label: (title) => `Mark ${title} as seen` },
  later: { sign: "+", word: "Watch later", label: (title) => `Watch ${title} later` },
  hidden: { sign: "✕", word: "Hide", label: (title) => `Hide ${title}` },
};

// With `words`, the buttons have text beside their signs.
export function markButtons(movie, { words = false } = {}) {
  const button = ([kind, { sign, word, label }]) => h("button", { type: "button", className: words ? "quiet" : "quiet round", title: word,
    "aria-label": label(titled(movie)), "data-mark": kind, onclick: () => press(movie, kind) }, words ? `${sign}\u00a0${word}` : sign);
  const group = h("div", { className: "marks" }, Object.entries(KINDS).map(button));
  group.refresh = () => {
    for (const each of group.children) each.setAttribute("aria-pressed", markOf(movie.movie_id) === each.dataset.mark);
  };
  group.refresh();
  return group;
}

function press(movie, kind) {
  const wanted = markOf(movie.movie_id) === kind ? null : kind;
  const send = () => mark(movie, wanted).catch((error) => toast(error.message, "Try again", send));
  return send();
}

export const refreshMarks = (root) => root.querySelectorAll(".marks").forEach((each) => each.refresh());
