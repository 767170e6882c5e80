// What people did with the movies that their lists showed: opened and liked, by generation and by place.

import { glance } from "./api.js";
import { figure, legend, showFigures, table } from "./chart.js";
import { clear, h, number, plural } from "./dom.js";

const DAYS = 30;
const KINDS = ["opened", "liked"];
const Z = 1.96; // of a 95 % interval

export async function showExposures(place, signal) {
  let found;
  try {
    found = await glance(`/outcomes?days=${DAYS}`, signal);
  } catch (error) {
    const slow = error.status === 503 && "There may be too many lists to count while you wait: matinee report counts them on the command line.";
    return clear(place, h("p", { className: "empty", role: "alert" }, error.message, slow && ` ${slow}`));
  }
  if (!found.generations.length) return clear(place, h("p", { className: "empty" }, `No list was shown to anyone with a number in the last ${DAYS} days.`));
  const generations = byGeneration(found.generations);
  const places = found.places.map(({ place: name, shown, opened, rated, liked, hidden }) => ({ name, shown, opened: opened.count, rated: rated.count, liked: liked.count, hidden: hidden.count }));
  const all = generations.reduce((sum, each) => sum + each.shown, 0);
  return showFigures(place, signal, [
    figure("By generation", "that made the list", points(generations), { unit: "%" }), figure("By place", "in the list", points(places), { unit: "%" })],
  legend(KINDS, null, `of ${plural(all, "movie")} shown in ${DAYS} days, with 95 % intervals; the bars compare how many were shown`),
  h("p", { className: "hint" }, "Opened or rated 3.5 or more within 7 days. What was shown in the last 7 days has not had its time yet."),
  table("What people did, in numbers", ["Generation or place", "shown", "opened", "rated", "liked", "hidden"],
    [...rows("Generation", generations), ...rows("Place", places)]));
}

const rows = (what, parts) => parts.map(({ name, shown, opened, rated, liked, hidden }) => [`${what} ${name}`, ...[shown, opened, rated, liked, hidden].map((each) => number(each))]);

// The service counts generation and strategy; here a generation is one point.
function byGeneration(parts) {
  const sums = new Map();
  for (const { generation_id: id, shown, ...outcomes } of parts) {
    const sum = sums.get(id) ?? { name: id ?? "none", shown: 0, opened: 0, rated: 0, liked: 0, hidden: 0 };
    sum.shown += shown;
    for (const kind of ["opened", "rated", "liked", "hidden"]) sum[kind] += outcomes[kind].count;
    sums.set(id, sum);
  }
  return [...sums.values()];
}

function points(parts) {
  const most = Math.max(...parts.map(({ shown }) => shown));
  return parts.map((part) => ({ name: part.name, share: part.shown / most, values: KINDS.map((kind) => ({ kind, ...percentage(part[kind], part.shown) })) }));
}

// A share in per cent with its Wilson interval.
function percentage(count, n) {
  const p = count / n, middle = (p + Z ** 2 / (2 * n)) / (1 + Z ** 2 / n);
  const half = (Z * Math.sqrt((p * (1 - p)) / n + Z ** 2 / (4 * n ** 2))) / (1 + Z ** 2 / n);
  return { value: 100 * p, low: Math.max(0, 100 * (middle - half)), high: 100 * (middle + half) };
}
