// Engine room: which generation serves and how good it is, what runs, and how each part is.

import { get, health, wait } from "./api.js";
import { announce, clear, h, number, since } from "./dom.js";
import { generationList } from "./generations.js";
import { plots } from "./plots.js";
import { showTraining } from "./training.js";

const OFTEN = 1000; // ms between looks while a training runs
const SELDOM = 5000;
const NONE_YET = "No generation yet: everyone gets popular movies until the first training is done.";

export async function engine(main, signal, failed) {
  document.title = "Engine room – Matinee";
  const live = h("div"), run = h("div"), parts = h("div"), measured = h("div"), history = h("div");
  clear(main, h("div", { className: "engine" }, h("h1", {}, "Engine room"),
    panel("Serving now", live), panel("Training", run), panel("Parts", parts),
    panel("How good", measured, "wide"), panel("Generations", history, "wide")));
  const places = { live, run, measured, history };
  const looks = [() => lookAtParts(parts, signal), lookAtTrainings(places, signal)];
  for (const look of looks) keepLooking(look, signal).catch((error) => signal.aborted || failed(error));
}

async function keepLooking(look, signal) {
  for (;;) await wait(await look(), signal);
}

const panel = (title, body, wide = "") => {
  const id = title.toLowerCase().replaceAll(" ", "-");
  return h("section", { className: `panel ${wide}`, "aria-labelledby": id }, h("h2", { id }, title), body);
};

async function lookAtParts(place, signal) {
  const { parts } = await health(signal);
  const part = ([name, { state, reason }]) => h("li", { className: state },
    h("b", {}, name), h("span", { className: "state" }, state), reason && h("p", {}, reason));
  clear(place, h("ul", { className: "parts" }, Object.entries(parts).map(part)));
  return parts.trainer.state === "running" ? OFTEN : SELDOM;
}

// The generations are drawn anew only when they have changed, so that nobody loses their place among them.
function lookAtTrainings(places, signal) {
  let known = null;
  const look = async () => {
    const training = await get("/retrain", signal);
    const { items } = await get("/generations?limit=24", signal);
    showTraining(places.run, training, items[0], look);
    const mark = items.map(({ id, live, kept, online }) => [id, live, kept, online?.views]).join();
    if (mark !== known) {
      clear(places.live, serving(items.find(({ live }) => live)));
      plots(places.measured, items, signal);
      clear(places.history, generationList(items, look));
      if (known !== null) announce("The generations have changed.");
    }
    known = mark;
    return training.state === "running" ? OFTEN : SELDOM;
  };
  return look;
}

function serving(generation) {
  if (!generation) return h("p", { className: "empty" }, NONE_YET);
  const { id, created_at: made, data, metrics, online } = generation;
  const against = metrics?.popularity && `popularity ${number(metrics.popularity.value, 3)}`;
  return [
    h("p", { className: "figure" }, h("b", {}, `No. ${id}`), " made ", since(made)),
    h("dl", { className: "facts" },
      fact("Movies", number(data.films)), fact("Ratings of the dataset", number(data.base_ratings)),
      fact("Ratings given here", number(data.views)), fact("People here", number(data.users)),
      fact("NDCG@10", metrics?.ndcg ? number(metrics.ndcg.value, 3) : "not judged", against),
      fact("RMSE", metrics?.rmse ? number(metrics.rmse.value, 3) : "not judged"),
      fact("RMSE on new ratings", online ? number(online.rmse, 3) : "none yet", online && `of ${number(online.views)}`))];
}

const fact = (name, value, beside) => h("div", {}, h("dt", {}, name), h("dd", {}, value, beside && h("small", {}, ` ${beside}`)));
