// The training that is under way, phase by phase, or how the last one ended; and the button that begins one.

import { post } from "./api.js";
import { announce, clear, h, number, since, toast } from "./dom.js";

export function showTraining(place, training, newest, look) {
  const running = training.state === "running";
  const held = place.contains(document.activeElement);
  const begin = h("button", { type: "button", disabled: running, onclick: () => retrain(look) },
    running ? "Training …" : "Retrain now");
  clear(place,
    running ? phases(training) : [h("p", {}, lastRun(training)), newest && took(newest, training.phases)],
    !running && training.error && h("p", { className: "fault" }, training.error),
    training.phases.length ? begin : h("p", { className: "hint" }, "This process does not train."));
  if (held) begin.focus();
}

function lastRun({ outcome, finished_at: finished, error, next_at: next }) {
  const last = outcome ? [`The last one ${outcome === "failed" ? "failed" : `was ${outcome}`}, `, since(finished), "."]
    : [error ? "The last one did not end." : "Nothing has been trained yet."];
  const time = { hour: "2-digit", minute: "2-digit", hour12: false };
  return next ? [...last, ` The next comes at ${new Date(next).toLocaleTimeString("en", time)}.`] : last;
}

// What the phases of the newest generation took.
function took({ id, seconds }, order) {
  const phases = order.map(({ name }) => [name, seconds[name] ?? 0]).filter(([, each]) => each >= 0.05);
  const longest = Math.max(...phases.map(([, each]) => each));
  const bar = ([name, each]) => h("div", { "--share": each / longest }, h("dt", {}, name),
    h("dd", { className: "length", "aria-hidden": "true" }), h("dd", {}, `${number(each, each < 10 ? 1 : 0)} s`));
  return phases.length > 0 && h("div", { className: "took" }, h("h3", {}, `What No. ${id} took`),
    h("dl", { className: "phases" }, phases.map(bar)));
}

// How much of each phase is done follows from the whole, since the phases come in order.
function phases({ phases: all, phase, progress, started_at: started }) {
  let before = 0;
  const bars = all.map(({ name, share }) => {
    const done = Math.max(0, Math.min(1, (progress - before) / share));
    before += share;
    const id = `phase-${name}`;
    return h("li", { "aria-current": name === phase ? "step" : null }, h("label", { htmlFor: id }, name),
      h("progress", { id, max: 1, value: done }), h("span", {}, `${Math.round(done * 100)} %`));
  });
  return [h("p", { className: "figure" }, h("b", {}, `${Math.round(progress * 100)} %`), " begun ", since(started)),
    h("ol", { className: "phases" }, bars)];
}

async function retrain(look) {
  try {
    await post("/retrain");
    announce("Training has begun.");
    await look();
  } catch (error) {
    toast(error.message);
  }
}
