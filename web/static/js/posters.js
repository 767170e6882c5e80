// A drawn poster for each movie: its genre gives the scene and the colours, its title the arrangement, the same each time.

import { h } from "./dom.js";
import { genreOf, hue } from "./titles.js";

const [WIDTH, HEIGHT] = [60, 80];
const STAR = "M0-6 1.5-1.8 6-1.8 2.4 .9 3.7 5.2 0 2.6-3.7 5.2-2.4 .9-6-1.8-1.5-1.8z";

export function poster(movie) {
  const random = seeded(movie.title);
  const base = hue(movie) + (random() - 0.5) * 36;
  const colour = (turn, saturation, light) => `hsl(${Math.round(base + turn)} ${saturation}% ${light}%)`;
  const paint = { dark: colour(-8, 50, 13), deep: colour(0, 46, 22), mid: colour(8, 44, 38), light: colour(20, 56, 60), glow: colour(32, 78, 78) };
  const scenes = SCENES[genreOf(movie)] ?? [ridges];
  const scene = scenes[Math.floor(random() * scenes.length)];
  return h("svg:svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "poster", preserveAspectRatio: "xMidYMid slice", "aria-hidden": "true", focusable: "false" },
    h("svg:rect", { width: WIDTH, height: HEIGHT, fill: paint.deep }), scene(paint, between(random)));
}

// Mulberry32, seeded with a hash of the title (FNV-1a).
function seeded(text) {
  let state = 2166136261;
  for (const letter of text) state = Math.imul(state ^ letter.codePointAt(0), 16777619);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const between = (random) => (low, high) => +(low + random() * (high - low)).toFixed(1);
const times = (count, make) => Array.from({ length: count }, (_, at) => make(at));
const circle = (cx, cy, r, fill, opacity) => h("svg:circle", { cx, cy, r, fill, opacity });
const ring = (cx, cy, r, stroke, width = 2) => h("svg:circle", { cx, cy, r, stroke, "stroke-width": width, fill: "none" });
const shape = (d, fill, opacity) => h("svg:path", { d, fill, opacity });
const star = (x, y, size, fill) => h("svg:path", { d: STAR, fill, transform: `translate(${x} ${y}) scale(${size})` });

// Beams from one point.
function beams(paint, pick) {
  const [x, y, turn] = [pick(16, 44), pick(40, 62), pick(0, 40)];
  const ray = (at) => {
    const edge = (degrees) => `${x + 110 * Math.cos((degrees * Math.PI) / 180)} ${y + 110 * Math.sin((degrees * Math.PI) / 180)}`;
    return shape(`M${x} ${y}L${edge(turn + at * 40)}L${edge(turn + at * 40 + 18)}z`, at % 3 ? paint.mid : paint.light);
  };
  return [times(9, ray), circle(x, y, pick(7, 12), paint.glow)];
}

// A planet with its ring.
function planet(paint, pick) {
  const [x, y, r] = [pick(20, 42), pick(28, 46), pick(13, 20)];
  return [times(9, () => circle(pick(0, 60), pick(0, 80), pick(0.4, 1.2), paint.glow)), circle(x, y, r, paint.light),
    circle(x - r / 4, y - r / 4, r * 0.7, paint.glow, 0.35),
    h("svg:ellipse", { cx: x, cy: y, rx: r * 1.7, ry: r * 0.38, fill: "none", stroke: paint.mid, "stroke-width": 3, transform: `rotate(${pick(-35, 30)} ${x} ${y})` })];
}

// A moon over a wood.
function wood(paint, pick) {
  const tree = (at) => `L${at * 9 - 4} ${pick(36, 54)}L${at * 9 + 1} 72`;
  return [circle(pick(14, 46), pick(16, 30), pick(9, 15), paint.glow), shape(`M-8 80V72${times(9, tree).join("")}V80z`, paint.dark)];
}

// A low sun behind flat-topped hills.
function mesas(paint, pick) {
  const hill = (x, top, width, fill) => shape(`M${x - 5} 80L${x} ${top}h${width}l5 ${80 - top}z`, fill);
  return [circle(pick(16, 44), pick(30, 42), pick(12, 18), paint.glow), hill(pick(-6, 6), pick(44, 52), pick(14, 20), paint.mid),
    hill(pick(34, 44), pick(40, 50), 24, paint.mid), hill(pick(12, 22), pick(58, 64), pick(18, 26), paint.dark)];
}

// Two circles that meet.
function pair(paint, pick) {
  const [y, r] = [pick(32, 46), pick(15, 20)];
  const apart = pick(9, 14);
  return [circle(30 - apart, y, r, paint.light, 0.9), circle(30 + apart, y + pick(-6, 6), r, paint.glow, 0.75), circle(pick(10, 50), 72, pick(18, 30), paint.dark, 0.5)];
}

// Balloons of all sizes.
const balloons = (paint, pick) => times(8, (at) =>
  circle(pick(0, 60), pick(4, 72), pick(5, 14), [paint.light, paint.mid, paint.glow][at % 3], 0.88));

// Ridges, one behind the other.
function ridges(paint, pick) {
  const line = (top) => `M0 80V${top}C${pick(10, 22)} ${top - pick(6, 16)} ${pick(34, 46)} ${top + pick(4, 14)} 60 ${top - pick(0, 10)}V80z`;
  return [circle(pick(10, 50), pick(14, 26), pick(6, 11), paint.glow), shape(line(36), paint.light, 0.75), shape(line(48), paint.mid), shape(line(62), paint.dark)];
}

// Light through blinds.
function blinds(paint, pick) {
  const lean = pick(-14, 14);
  const slat = (at) => shape(`M0 ${at * 11 - 4}L60 ${at * 11 - 4 + lean}v5L0 ${at * 11 + 1}z`, paint.light, 0.85);
  const x = pick(18, 42);
  return [times(9, slat), circle(x, 46, 9, paint.dark), shape(`M${x - 15} 80c0-16 6-24 15-24s15 8 15 24z`, paint.dark),
    shape(`M${x - 14} 41h28l-3-3h-5l-1-7h-10l-1 7h-5z`, paint.dark)];
}

// Mountains under a star.
function peaks(paint, pick) {
  const peak = (x, top, fill) => shape(`M${x - 34} 80L${x} ${top}L${x + 34} 80z`, fill);
  return [star(pick(12, 48), pick(10, 20), pick(0.7, 1.2), paint.glow), peak(pick(8, 22), pick(30, 40), paint.light),
    peak(pick(38, 54), pick(36, 46), paint.mid), peak(pick(20, 42), pick(56, 62), paint.dark)];
}

// Rings that close in.
function rings(paint, pick) {
  const [x, y] = [pick(18, 42), pick(26, 54)];
  return [times(6, (at) => ring(x + at * pick(-0.6, 0.6), y, 52 - at * 9, at % 2 ? paint.mid : paint.light, pick(2, 4))), circle(x, y, 4, paint.glow)];
}

// Waves of sound.
function waves(paint, pick) {
  const wave = (at) => {
    const [y, high] = [14 + at * 12, pick(3, 10)];
    return h("svg:path", { d: `M-4 ${y}q8.5-${high} 17 0t17 0 17 0 17 0`, fill: "none", "stroke-width": 4, stroke: [paint.light, paint.glow, paint.mid][at % 3] });
  };
  return times(6, wave);
}

// A lens.
function lens(paint, pick) {
  const [x, y] = [pick(26, 34), pick(34, 44)];
  return [shape(`M0 0h60v${pick(12, 20)}H0z`, paint.dark), circle(x, y, 24, paint.mid), circle(x, y, 17, paint.dark), circle(x, y, 12, paint.light), circle(x - 4, y - 4, 4, paint.glow)];
}

// The title chooses among the scenes of its genre.
const SCENES = { Action: [beams, rings], War: [ridges, mesas], "Sci-Fi": [planet, beams, ridges], IMAX: [planet], Horror: [wood, rings], Western: [mesas],
  Romance: [pair, ridges], Comedy: [balloons, waves], Children: [balloons, peaks], Animation: [balloons, peaks, ridges], Drama: [ridges, pair],
  "Film-Noir": [blinds], Crime: [blinds, rings, beams], Adventure: [peaks, mesas], Fantasy: [peaks, wood], Thriller: [rings, blinds], Mystery: [rings, wood],
  Musical: [waves], Documentary: [lens] };
