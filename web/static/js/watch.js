// Watch: movies to rate on one side, recommendations on the other.

import { clear, h } from "./dom.js";
import { refreshMarks } from "./marks.js";
import { ratePanel } from "./rate.js";
import { recommendationPanel } from "./recommendations.js";
import { shelves } from "./shelves.js";
import { refreshStars } from "./stars.js";
import { isNewcomer, ratingsLoaded, userEvents } from "./user.js";

export async function watch(main, signal) {
  const rating = ratePanel(signal);
  const next = recommendationPanel(signal);
  const further = shelves(signal, () => [...rating.ids(), ...next.ids()]);
  const headline = h("h1", { className: isNewcomer() ? "welcome" : "unseen" }, "Rate a movie or two. See what to watch next.");
  clear(main, headline, h("a", { className: "skip", href: "#next-head" }, "Skip to what to watch next"),
    h("div", { className: "watch" }, rating.element, next.element), further.element);
  await ratingsLoaded();
  if (signal.aborted) return;
  const refresh = () => {
    refreshStars(main);
    refreshMarks(main);
    rating.refresh();
    next.refresh().then(further.refresh);
  };
  userEvents.addEventListener("ratings", refresh, { signal });
  // at once, since browsers count what moves half a second after a click as a surprise
  userEvents.addEventListener("rating", () => (headline.className = "unseen"), { signal });
  const listed = next.open();
  await Promise.all([rating.open(listed), listed]);
}
