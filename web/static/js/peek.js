// On a small screen: the first recommendation, while the list is out of view.

import { prefersReducedMotion, clear, h } from "./dom.js";
import { brief } from "./titles.js";

// Returns a function that shows the first movie of the list in `section`.
export function preview(section, head, signal) {
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
