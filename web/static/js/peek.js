// On a small screen: what the list begins with, while the list itself is out of sight.

import { calm, clear, h } from "./dom.js";
import { brief } from "./titles.js";

// Gives a function that is told the first movie of the list in `section`.
export function peekAt(section, head, signal) {
  const dock = document.getElementById("peek");
  const go = () => {
    section.scrollIntoView({ behavior: calm() ? "auto" : "smooth" });
    head.focus({ preventScroll: true });
  };
  const seen = new IntersectionObserver(([{ isIntersecting }]) => (dock.hidden = isIntersecting), { rootMargin: "0px 0px -90px" });
  seen.observe(section);
  signal.addEventListener("abort", () => {
    seen.disconnect();
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
