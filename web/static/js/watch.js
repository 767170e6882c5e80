// Watch: movies to rate on one side, recommendations on the other.

import { clear, h } from "./dom.js";
import { ratePanel } from "./rate.js";
import { recommendationPanel } from "./recommendations.js";
import { refreshStars } from "./stars.js";
import { isNewcomer, ratingsLoaded, userEvents } from "./user.js";

export async function watch(main, signal) {
  const rating = ratePanel(signal);
  const next = recommendationPanel(signal);
  clear(main,
    isNewcomer() ? h("h1", { className: "welcome" }, "Rate a movie or two. See what to watch next.") : h("h1", { className: "unseen" }, "Watch"),
    h("div", { className: "watch" }, rating.element, next.element));
  await ratingsLoaded();
  if (signal.aborted) return;
  const refresh = () => {
    refreshStars(main);
    rating.refresh();
    next.refresh();
  };
  userEvents.addEventListener("ratings", refresh, { signal });
  await Promise.all([rating.open(), next.open()]);
}
