// The metrics of every generation with their 95 % intervals, beside those of popularity, as SVG plots and as a table.

import { clear, h, number, plural } from "./dom.js";

const MOST = 24; // generations in a plot
const [HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [230, 44, 10, 14, 26];

// The metric depends on how many ratings of each held-out user the model knew, so its name says that.
export const ndcgLabel = (metrics) => (metrics ? `NDCG@10 after ${plural(metrics.given, "rating")}` : "NDCG@10");

// Draws both plots as wide as the place is, and again when its width changes.
export function plots(place, generations, signal) {
  place.drawn?.disconnect();
  const shown = generations.filter(({ metrics }) => metrics?.ndcg).slice(0, MOST).toReversed();
  if (!shown.length) {
    clear(place, h("p", { className: "empty" }, "No generation has been evaluated on held-out users yet."));
    return;
  }
  const ndcg = figure(ndcgLabel(shown.at(-1).metrics), "of the first ten movies, higher is better", shown, "ndcg", "popularity");
  const rmse = figure("RMSE", "of the expected rating, lower is better", shown, "rmse", "popularity_rmse");
  clear(place, h("div", { className: "plots" }, ndcg.element, rmse.element), legend(), table(shown));
  place.drawn = new ResizeObserver(() => [ndcg, rmse].forEach((each) => each.draw()));
  place.drawn.observe(ndcg.element);
  signal.addEventListener("abort", () => place.drawn.disconnect());
}

function figure(title, about, generations, measure, beside) {
  const canvas = h("div", { className: "canvas" });
  const element = h("figure", { className: "plot" }, h("figcaption", {}, h("b", {}, title), ` ${about}`), canvas);
  const draw = () => clear(canvas, drawing(title, generations, measure, beside, canvas.clientWidth || 320));
  return { element, draw };
}

function drawing(title, generations, measure, beside, width) {
  const evaluated = generations.filter(({ metrics }) => metrics[measure]);
  const drawn = evaluated.flatMap(({ metrics }) => [metrics[measure], metrics[beside]]).filter(Boolean);
  const ends = drawn.flatMap((each) => [each.low, each.high]);
  const ticks = round(Math.min(...ends), Math.max(...ends));
  const [low, high] = [ticks[0], ticks.at(-1)];
  const y = (value) => TOP + ((high - value) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const step = (width - LEFT - RIGHT) / evaluated.length;
  const x = (at) => LEFT + (at + 0.5) * step;
  const every = Math.ceil(26 / step); // a name under each point, if there is room
  const points = evaluated.map((each, at) => ({ ...each, at, x: x(at), named: (evaluated.length - 1 - at) % every === 0 }));
  return h("svg:svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img",
    "aria-label": `${title} of ${plural(evaluated.length, "generation")}; the table below has the numbers` },
  ticks.map((value) => grid(value, y(value), width)),
  beside && band(points.filter(({ metrics }) => metrics[beside]), beside, y, step),
  points.map((point) => mark(point, point.metrics[measure], y)));
}

// Ticks at round numbers, from below the lowest value to above the highest.
function round(low, high) {
  const span = high - low || Math.abs(high) || 1;
  const unit = 10 ** Math.floor(Math.log10(span));
  const step = [0.1, 0.2, 0.25, 0.5, 1, 2.5].map((n) => n * unit).find((each) => span / each <= 4.5);
  const first = Math.floor(low / step), last = Math.max(Math.ceil(high / step), first + 1);
  return Array.from({ length: last - first + 1 }, (_, n) => (first + n) * step);
}

const grid = (value, y, width) => [
  h("svg:line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y, y2: y }),
  h("svg:text", { class: "tick", x: LEFT - 8, y: y + 4, "text-anchor": "end" }, String(+value.toFixed(4)))];

// Popularity: its line in the band of its interval.
function band(points, beside, y, step) {
  const across = points.flatMap((point) => [[point.x - step / 2, point], [point.x + step / 2, point]]);
  const path = (end) => across.map(([x, { metrics }]) => `${x},${y(metrics[beside][end])}`);
  return [h("svg:polygon", { class: "band", points: [...path("high"), ...path("low").reverse()].join(" ") }),
    h("svg:polyline", { class: "beside", points: path("value").join(" ") })];
}

function mark({ id, live, verdict, x, named }, { value, low, high }, y) {
  const kind = live ? "live" : verdict;
  return [
    h("svg:line", { class: `interval ${kind}`, x1: x, x2: x, y1: y(low), y2: y(high) }),
    h("svg:circle", { class: `dot ${kind}`, cx: x, cy: y(value), r: live ? 6.5 : 4.5 }),
    named && h("svg:text", { class: `tick ${kind}`, x, y: HEIGHT - 6, "text-anchor": "middle" }, id)];
}

const legend = () => h("p", { className: "legend" },
  ["live", "accepted", "rejected"].map((kind) => h("span", { className: kind }, kind)),
  h("span", { className: "beside" }, "popularity, and the mean of each movie"),
  h("span", { className: "note" }, "on held-out users, with 95 % intervals"));

function table(shown) {
  const head = (name) => h("th", { scope: "col" }, name);
  const row = ({ id, metrics: { ndcg, popularity, rmse, popularity_rmse: means } }) =>
    h("tr", {}, h("th", { scope: "row" }, id), [ndcg, popularity, rmse, means].map(cell));
  const whole = h("table", {},
    h("thead", {}, h("tr", {}, ["Generation", ndcgLabel(shown.at(-1).metrics), "of popularity", "RMSE", "of movie means"].map(head))),
    h("tbody", {}, shown.toReversed().map(row)));
  return h("details", {}, h("summary", {}, "As a table"),
    h("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Measures of each generation" }, whole));
}

const three = (value) => number(value, 3);
const cell = (estimate) =>
  h("td", {}, estimate ? `${three(estimate.value)} (${three(estimate.low)} – ${three(estimate.high)})` : "–");
