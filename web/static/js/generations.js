// All generations, newest first, and the button that activates another one.

import { operate } from "./api.js";
import { ago, dialog, h, number, since, toast } from "./dom.js";
import { ndcgLabel } from "./plots.js";

const SHOWN = 8;

export function generationList(items, refresh) {
  if (!items.length) return h("p", { className: "empty" }, "No training run yet.");
  const rows = items.map((each) => row(each, refresh));
  const rest = rows.slice(SHOWN);
  return [h("ol", { className: "generations" }, rows.slice(0, SHOWN)),
    rest.length > 0 && h("details", {}, h("summary", {}, `${rest.length} older`), h("ol", { className: "generations" }, rest))];
}

function row(generation, refresh) {
  const { id, live, held, kept, verdict, created_at: made, metrics, reason } = generation;
  const state = live ? "live" : verdict;
  return h("li", { className: state },
    h("b", { className: "no" }, h("span", { className: "unseen" }, "Generation "), id),
    h("div", {},
      h("p", { className: "line" }, h("span", { className: "badge" }, state), h("span", { className: "made" }, since(made)),
        measure(ndcgLabel(metrics), metrics?.ndcg), measure("RMSE", metrics?.rmse)),
      h("p", { className: "why" }, sentence(reason))),
    h("div", { className: "act" }, !live && kept && activateButton(generation, refresh), held && releaseButton(refresh)));
}

const releaseButton = (refresh) => h("button", { type: "button", className: "quiet", title: "Training runs do not replace it.", onclick: async () => {
  try {
    await operate("/generations/live/hold", "end the hold of the live generation", "DELETE");
    toast("The next accepted training run replaces it.");
    await refresh();
  } catch (error) {
    toast(error.message);
  }
} }, "Held: release");

const activateButton = (generation, refresh) =>
  h("button", { type: "button", className: "quiet", onclick: () => confirm(generation, refresh) },
    "Serve this", h("span", { className: "unseen" }, ` generation, ${generation.id}`));

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

const measure = (name, estimate) =>
  h("span", { className: "measure" }, h("small", {}, name), ` ${estimate ? number(estimate.value, 3) : "–"}`);

const confirm = (generation, look) => dialog(`Serve generation ${generation.id}?`, (close) => {
  const activate = async () => {
    close();
    try {
      await operate(`/generations/${generation.id}/activate`, `serve generation ${generation.id}`);
      toast(`Generation ${generation.id} is now live.`);
      await refresh();
    } catch (error) {
      toast(error.message);
    }
  };
  return h("div", {},
    h("p", {}, "Everyone’s list is made with it at once. Later training runs are stored but do not replace it, until you release it."),
    h("p", {}, `Trained ${ago(generation.created_at)}, ${generation.verdict}.`),
    h("p", { className: "hint" }, sentence(generation.reason)),
    h("div", { className: "row" }, h("button", { type: "button", className: "quiet", onclick: close }, "Keep the current one"),
      h("button", { type: "button", onclick: activate }, "Serve it")));
});
