// The metrics of every generation with their 95 % intervals, beside those of popularity, as plots and as a table.

import { figure, legend, showFigures, table } from "./chart.js";
import { clear, h, number, plural } from "./dom.js";

const MOST = 24; // generations in a plot

// The metric depends on how many ratings of each held-out user the model knew, so its name says that.
export const ndcgLabel = (metrics) => (metrics ? `NDCG@10 after ${plural(metrics.given, "rating")}` : "NDCG@10");

export function plots(place, generations, signal) {
  const shown = generations.filter(({ metrics }) => metrics?.ndcg).slice(0, MOST).toReversed();
  if (!shown.length) return clear(place, h("p", { className: "empty" }, "No generation has been evaluated on held-out users yet."));
  const label = ndcgLabel(shown.at(-1).metrics);
  return showFigures(place, signal, [
    figure(label, "of the first ten movies, higher is better", points(shown, "ndcg", "popularity")),
    figure("RMSE", "of the expected rating, lower is better", points(shown, "rmse", "popularity_rmse"))],
  legend(["live", "accepted", "rejected"], "popularity, and the mean of each movie", "on held-out users, with 95 % intervals"),
  table("Measures of each generation", ["Generation", label, "of popularity", "RMSE", "of movie means"],
    shown.toReversed().map(({ id, metrics: { ndcg, popularity, rmse, popularity_rmse: means } }) => [id, ...[ndcg, popularity, rmse, means].map(cell)])));
}

const points = (generations, measure, beside) => generations.filter(({ metrics }) => metrics[measure]).map(({ id, live, verdict, metrics }) => (
  { name: id, values: [{ kind: live ? "live" : verdict, large: live, ...metrics[measure] }], beside: metrics[beside] }));

const three = (value) => number(value, 3);
const cell = (estimate) => (estimate ? `${three(estimate.value)} (${three(estimate.low)} – ${three(estimate.high)})` : "–");
