// Watch: what to rate on one side, what to watch next on the other.

import { clear, h } from "./dom.js";
import { nextSide } from "./next.js";
import { person, ratingCount } from "./person.js";
import { rateSide } from "./rate.js";
import { refreshStars } from "./stars.js";

export async function watch(main, signal) {
  const rating = rateSide(signal);
  const next = nextSide(signal);
  const newcomer = ratingCount() === 0;
  clear(main,
    newcomer ? h("h1", { className: "welcome" }, "Rate a movie or two. See what to watch next.") : h("h1", { className: "unseen" }, "Watch"),
    h("div", { className: "watch" }, rating.element, next.element));
  const again = () => {
    refreshStars(main);
    rating.refresh();
    next.refresh();
  };
  person.addEventListener("ratings", again, { signal });
  await Promise.all([rating.open(), next.open()]);
}
