// Half stars on a range input: mouse, touch, arrow keys, digits and screen readers work as they do on any slider.

import { h, plural, toast } from "./dom.js";
import { rate, ratingOf } from "./user.js";
import { titled } from "./titles.js";

const SETTLES = 1200; // ms after the last key until a rating is sent; Enter and leaving the slider send it at once
const valueText = (value) => (value ? plural(value, "star") : "not rated");

// `whose` keeps the rating: that of this device's user, if no other is given.
export function stars(movie, whose = { rate, ratingOf }) {
  const name = titled(movie);
  const input = h("input", { type: "range", min: 0, max: 5, step: 0.5, "aria-label": `Rate ${name}`,
    title: "Choose your stars; choose the same again to remove them" });
  const shown = h("span", { className: "stars" }, input);
  let settling = null; // the timer while keys are pressed
  const paint = (value) => shown.style.setProperty("--stars", value);
  const show = (value) => {
    input.value = value;
    input.setAttribute("aria-valuetext", valueText(value));
    paint(value);
  };
  const commit = async () => {
    clearTimeout(settling);
    settling = null;
    const value = Number(input.value);
    try {
      await whose.rate(movie, value);
    } catch (error) {
      show(whose.ratingOf(movie.movie_id));
      toast(`${name} could not be rated: ${error.message}`, "Try again", () => (show(value), commit()));
    }
  };
  const settle = (value) => {
    show(value);
    clearTimeout(settling);
    settling = setTimeout(commit, SETTLES);
  };
  input.addEventListener("input", () => settle(Number(input.value)));
  input.addEventListener("keydown", (event) => {
    if (/^[0-5]$/.test(event.key) && !event.ctrlKey && !event.metaKey && !event.altKey) settle(Number(event.key));
    else if (event.key === "Enter" && settling) commit();
  });
  input.addEventListener("blur", () => settling && commit());
  point(input, { show, paint, commit, rated: () => whose.ratingOf(movie.movie_id) });
  show(whose.ratingOf(movie.movie_id));
  shown.refresh = () => settling || input.dataset.held || show(whose.ratingOf(movie.movie_id));
  return shown;
}

// A press anywhere in a half star selects that half; a plain slider would round to the nearer edge.
function point(input, { show, paint, commit, rated }) {
  const under = (event) => {
    const box = input.getBoundingClientRect();
    return Math.min(5, Math.max(0.5, Math.ceil(((event.clientX - box.left) / box.width) * 10) / 2));
  };
  const release = () => delete input.dataset.held;
  input.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    input.focus({ preventScroll: true });
    input.setPointerCapture(event.pointerId);
    input.dataset.held = "1";
    show(under(event));
  });
  input.addEventListener("pointermove", (event) => {
    if (input.dataset.held) show(under(event));
    else if (event.pointerType === "mouse") paint(under(event));
  });
  input.addEventListener("pointerup", (event) => {
    if (!input.dataset.held) return;
    release();
    const value = under(event);
    show(value === rated() ? 0 : value);
    commit();
  });
  input.addEventListener("pointercancel", () => (release(), show(rated())));
  input.addEventListener("pointerleave", () => paint(input.value));
}

export const refreshStars = (root) => root.querySelectorAll(".stars").forEach((each) => each.refresh());
