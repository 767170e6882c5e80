// SVG plots: for each point one or more values with their intervals, and behind them a band, bars, or a line at zero.

import { clear, h } from "./dom.js";

const [HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [230, 44, 10, 14, 26];
const APART = 12; // px between the values of one point, where there is room

// A point is { name, values: [{ kind, value, low, high, large }], beside: { value, low, high }, share }: `beside` is drawn
// as a band, `share` (0 to 1) as a bar. `zero` draws the line at zero; `unit` ends each label of the scale.
export function figure(title, about, points, options = {}) {
  const canvas = h("div", { className: "canvas" });
  const element = h("figure", { className: "plot" }, h("figcaption", {}, h("b", {}, title), ` ${about}`), canvas);
  let drawn = 0;
  const draw = () => canvas.clientWidth !== drawn && clear(canvas, drawing(title, points, options, (drawn = canvas.clientWidth) || 320));
  return { element, draw };
}

// Shows figures as wide as the place is, and draws them again when its width changes; `further` stands below them.
export function showFigures(place, signal, figures, ...further) {
  place.drawn?.disconnect();
  clear(place, h("div", { className: "plots" }, figures.map(({ element }) => element)), further);
  const draw = () => figures.forEach((each) => each.draw());
  draw(); // at once: an observer waits for a frame, which a busy browser may not have for long
  place.drawn = new ResizeObserver(draw);
  place.drawn.observe(figures[0].element);
  signal.addEventListener("abort", () => place.drawn.disconnect());
}

function drawing(title, points, { zero = false, unit = "" }, width) {
  const ends = points.flatMap(({ values, beside }) => [...values, beside]).filter(Boolean).flatMap(({ low, high }) => [low, high]);
  const ticks = round(Math.min(...ends, ...(zero ? [0] : [])), Math.max(...ends, ...(zero ? [0] : [])));
  const [low, high] = [ticks[0], ticks.at(-1)];
  const y = (value) => TOP + ((high - value) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const step = (width - LEFT - RIGHT) / points.length;
  const x = (at) => LEFT + (at + 0.5) * step;
  const longest = Math.max(...points.map(({ name }) => String(name).length));
  const every = Math.ceil(Math.max(26, longest * 7 + 8) / step); // a name under each point, if there is room
  const placed = points.map((each, at) => ({ ...each, x: x(at), named: (points.length - 1 - at) % every === 0 }));
  return h("svg:svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": `${title}; the table below has the numbers` },
    placed.map((point) => point.share > 0 && bar(point, step)), ticks.map((value) => grid(value, y(value), width, unit)),
    zero && h("svg:line", { class: "zero", x1: LEFT, x2: width - RIGHT, y1: y(0), y2: y(0) }),
    band(placed.filter(({ beside }) => beside), y, step), placed.map((point) => marks(point, y, Math.min(APART, step / (point.values.length + 1)))));
}

// Ticks at round numbers, from below the lowest value to above the highest.
function round(low, high) {
  const span = high - low || Math.abs(high) || 1;
  const unit = 10 ** Math.floor(Math.log10(span));
  const step = [0.1, 0.2, 0.25, 0.5, 1, 2.5].map((n) => n * unit).find((each) => span / each <= 4.5);
  const first = Math.floor(low / step), last = Math.max(Math.ceil(high / step), first + 1);
  return Array.from({ length: last - first + 1 }, (_, n) => (first + n) * step);
}

const grid = (value, y, width, unit) => [
  h("svg:line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y, y2: y }),
  h("svg:text", { class: "tick", x: LEFT - 8, y: y + 4, "text-anchor": "end" }, `${+value.toFixed(4)}${unit}`)];

function bar({ x, share }, step) {
  const high = share * (HEIGHT - TOP - BOTTOM), wide = Math.min(40, step * 0.7);
  return h("svg:rect", { class: "bar", x: x - wide / 2, y: HEIGHT - BOTTOM - high, width: wide, height: high, rx: 3 });
}

// The line of `beside` in the band of its interval.
function band(points, y, step) {
  const across = points.flatMap((point) => [[point.x - step / 2, point], [point.x + step / 2, point]]);
  const path = (end) => across.map(([x, { beside }]) => `${x},${y(beside[end])}`);
  return points.length > 0 && [h("svg:polygon", { class: "band", points: [...path("high"), ...path("low").reverse()].join(" ") }),
    h("svg:polyline", { class: "beside", points: path("value").join(" ") })];
}

const marks = ({ name, values, x: middle, named }, y, apart) => [
  values.map(({ kind, value, low, high, large }, at) => {
    const x = middle + (at - (values.length - 1) / 2) * apart;
    return [h("svg:line", { class: `interval ${kind}`, x1: x, x2: x, y1: y(low), y2: y(high) }),
      h("svg:circle", { class: `dot ${kind}`, cx: x, cy: y(value), r: large ? 6.5 : 4.5 })];
  }),
  named && h("svg:text", { class: `tick ${values[0]?.kind}`, x: middle, y: HEIGHT - 6, "text-anchor": "middle" }, name)];

export const legend = (kinds, beside, note) => h("p", { className: "legend" },
  kinds.map((kind) => h("span", { className: kind }, kind)), beside && h("span", { className: "beside" }, beside), h("span", { className: "note" }, note));

// The numbers of a plot, behind "As a table": the names of the columns, and rows that begin with their name.
export const table = (label, columns, rows) => h("details", {}, h("summary", {}, "As a table"),
  h("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": label }, h("table", {},
    h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, rows.map(([name, ...cells]) => h("tr", {}, h("th", { scope: "row" }, name), cells.map((cell) => h("td", {}, cell))))))));
