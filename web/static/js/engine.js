// Engine room: the live generation and its metrics, the training run, the state of each part, and what users got and did.

import { get, health, wait } from "./api.js";
import { showCatalogue } from "./catalogue.js";
import { announce, clear, h, number, since } from "./dom.js";
import { showExperiments } from "./experiments.js";
import { showExposures } from "./exposures.js";
import { generationList } from "./generations.js";
import { ndcgLabel, plots } from "./plots.js";
import { showTraining } from "./training.js";

const BUSY = 1000; // ms between polls while a training run is in progress
const IDLE = 5000;
const SELDOM = 60000; // of what changes slowly
const NONE_YET = "No generation yet: everyone gets popular movies until the first training run is done.";

export async function engine(main, signal, failed) {
  document.title = "Engine room – Matinee";
  const [live, run, parts, measured, history, exposed, tried, changed] = Array.from({ length: 8 }, () => h("div", {}, h("p", { className: "empty" }, "Loading …")));
  clear(main, h("div", { className: "engine" }, h("h1", {}, "Engine room"),
    panel("Serving now", live, "tall"), panel("Training", run, "tall"), panel("Parts", parts, "tall"),
    panel("Quality", measured, "wide tall"), panel("Generations", history, "wide"),
    panel("What people did with their lists", exposed, "wide"), panel("Experiments", tried, "broad"), panel("Catalogue changes", changed)));
  const training = trainingPoller({ live, run, measured, history }, signal);
  const start = (refresh) => poll(refresh, signal).catch((error) => signal.aborted || failed(error));
  const seldom = (show, place) => start(async () => (await show(place, signal), SELDOM));
  start(() => showParts(parts, signal));
  training().then(() => { // which asks for a key, if one is needed
    start(training);
    seldom(showExposures, exposed);
    seldom(showExperiments, tried);
    seldom(showCatalogue, changed);
  }).catch((error) => signal.aborted || failed(error));
}

async function poll(refresh, signal) {
  for (;;) await wait(await refresh(), signal);
}

const panel = (title, body, wide = "") => {
  const id = title.toLowerCase().replaceAll(" ", "-");
  return h("section", { className: `panel ${wide}`, "aria-labelledby": id }, h("h2", { id }, title), body);
};

async function showParts(place, signal) {
  const { parts } = await health(signal);
  const part = ([name, { state, reason }]) => h("li", { className: state },
    h("b", {}, name), h("span", { className: "state" }, state), reason && h("p", {}, reason));
  clear(place, h("ul", { className: "parts" }, Object.entries(parts).map(part)));
  return parts.trainer.state === "running" ? BUSY : IDLE;
}

// Redraws the generations only when they have changed, so that scroll position and focus stay.
function trainingPoller(places, signal) {
  let shown = null;
  const refresh = async () => {
    const [training, { items }] = await Promise.all([get("/retrain", signal), get("/generations?limit=24", signal)]);
    showTraining(places.run, training, items, refresh);
    const state = items.map(({ id, live, kept, online }) => [id, live, kept, online?.views]).join();
    if (state !== shown) {
      clear(places.live, serving(items.find(({ live }) => live)));
      plots(places.measured, items, signal);
      clear(places.history, generationList(items, refresh));
      if (shown !== null) announce("The generations have changed.");
    }
    shown = state;
    return training.state === "running" ? BUSY : IDLE;
  };
  return refresh;
}

function serving(generation) {
  if (!generation) return h("p", { className: "empty" }, NONE_YET);
  const { id, held, created_at: made, data, metrics, online } = generation;
  const against = metrics?.popularity && `popularity ${number(metrics.popularity.value, 3)}`;
  return [
    h("p", { className: "figure" }, h("b", {}, `No. ${id}`), " trained ", since(made)),
    h("p", { className: "hint" }, held ? "Held by an operator: training runs are stored, but do not replace it." : "The next accepted training run replaces it."),
    h("dl", { className: "facts" },
      fact("Movies", number(data.films)), fact("Ratings of the dataset", number(data.base_ratings)),
      fact("Ratings given here", number(data.views)), fact("Users here", number(data.users)),
      fact(ndcgLabel(metrics), metrics?.ndcg ? number(metrics.ndcg.value, 3) : "not evaluated", against),
      fact("RMSE", metrics?.rmse ? number(metrics.rmse.value, 3) : "not evaluated"),
      fact("RMSE on new ratings", online ? number(online.rmse, 3) : "none yet", online && `of ${number(online.views)}`))];
}

const fact = (name, value, beside) => h("div", {}, h("dt", {}, name), h("dd", {}, value, beside && h("small", {}, ` ${beside}`)));
