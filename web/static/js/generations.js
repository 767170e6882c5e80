// What the trainings made, newest first, and going back to one of them.

import { post } from "./api.js";
import { ago, dialog, h, number, since, toast } from "./dom.js";

const SHOWN = 8;

export function generationList(items, look) {
  if (!items.length) return h("p", { className: "empty" }, "Nothing has been trained yet.");
  const rows = items.map((each) => row(each, look));
  const rest = rows.slice(SHOWN);
  return [h("ol", { className: "generations" }, rows.slice(0, SHOWN)),
    rest.length > 0 && h("details", {}, h("summary", {}, `${rest.length} older`), h("ol", { className: "generations" }, rest))];
}

function row(generation, look) {
  const { id, live, kept, verdict, created_at: made, metrics, reason } = generation;
  const state = live ? "live" : verdict;
  return h("li", { className: state },
    h("b", { className: "no" }, h("span", { className: "unseen" }, "Generation "), id),
    h("div", {},
      h("p", { className: "line" }, h("span", { className: "badge" }, state), h("span", { className: "made" }, since(made)),
        measure("NDCG@10", metrics?.ndcg), measure("RMSE", metrics?.rmse)),
      h("p", { className: "why" }, reason)),
    h("div", { className: "act" }, !live && kept && choice(generation, look)));
}

const choice = (generation, look) =>
  h("button", { type: "button", className: "quiet", onclick: () => confirm(generation, look) },
    "Serve this", h("span", { className: "unseen" }, ` generation, ${generation.id}`));

const measure = (name, estimate) =>
  h("span", { className: "measure" }, h("small", {}, name), ` ${estimate ? number(estimate.value, 3) : "–"}`);

const confirm = (generation, look) => dialog(`Serve generation ${generation.id}?`, (close) => {
  const activate = async () => {
    close();
    try {
      await post(`/generations/${generation.id}/activate`);
      toast(`Generation ${generation.id} is served.`);
      await look();
    } catch (error) {
      toast(error.message);
    }
  };
  return h("div", {},
    h("p", {}, "Everyone's list is made from it at once. ",
      `It was made ${ago(generation.created_at)} and ${generation.verdict}: ${generation.reason}.`),
    h("div", { className: "row" }, h("button", { type: "button", className: "quiet", onclick: close }, "Keep the present one"),
      h("button", { type: "button", onclick: activate }, "Serve it")));
});
