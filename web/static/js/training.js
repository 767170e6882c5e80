// The training run in progress, phase by phase, or how the last one ended; and the button that starts one.

import { operate } from "./api.js";
import { announce, clear, h, number, since, toast } from "./dom.js";

// What happens while no phase moves yet.
const STARTING = { queued: "Queued. It starts within a second or two.", snapshot: "Reading the ratings.",
  compare: "Comparing the live generation with the newest ratings.", ranker: "Starting Spark. This takes about ten seconds." };
const RANKER_STARTS = 0.05; // progress until which Spark may still be starting

export function showTraining(place, training, generations, refresh) {
  const [newest] = generations;
  const running = training.state === "running";
  const held = place.contains(document.activeElement);
  const start = h("button", { type: "button", disabled: running, onclick: () => retrain(refresh) },
    running ? "Training …" : "Retrain now");
  clear(place,
    running ? phases(training) : [h("p", {}, lastRunText(training)), heldText(generations), newest && durations(newest, training.phases)],
    !running && training.error && h("p", { className: "fault" }, training.error),
    start);
  if (held) start.focus();
}

function lastRunText({ outcome, finished_at: finished, error, next_at: next }) {
  const last = outcome ? [`Last training ${outcome} `, since(finished), "."]
    : [error ? "The last training did not end." : "No training run yet."];
  const time = { hour: "2-digit", minute: "2-digit", hour12: false };
  return next ? [...last, ` The next is at ${new Date(next).toLocaleTimeString("en", time)}.`] : last;
}

function heldText(generations) {
  const { id } = generations.find(({ held }) => held) ?? {};
  return id && h("p", { className: "hint" }, `The next training run is stored and does not go live, while generation ${id} is held.`);
}

// The duration of each phase of the newest generation.
function durations({ id, seconds }, order) {
  const phases = order.map(({ name }) => [name, seconds[name] ?? 0]).filter(([, each]) => each >= 0.05);
  const longest = Math.max(...phases.map(([, each]) => each));
  const bar = ([name, each]) => h("div", { "--share": each / longest }, h("dt", {}, name),
    h("dd", { className: "length", "aria-hidden": "true" }), h("dd", {}, `${number(each, each < 10 ? 1 : 0)} s`));
  return phases.length > 0 && h("div", { className: "took" }, h("h3", {}, `How long training ${id} took`),
    h("dl", { className: "phases" }, phases.map(bar)));
}

// The progress of each phase follows from that of the run, since the phases come in order.
function phases({ phases: all, phase, progress, started_at: started }) {
  let before = 0;
  const bars = all.map(({ name, share }) => {
    const done = Math.max(0, Math.min(1, (progress - before) / share));
    before += share;
    const id = `phase-${name}`;
    return h("li", { "aria-current": name === phase ? "step" : null }, h("label", { htmlFor: id }, name),
      h("progress", { id, max: 1, value: done }), h("span", {}, `${Math.round(done * 100)}\u00a0%`));
  });
  return [h("p", { className: "figure" }, h("b", {}, `${Math.round(progress * 100)}\u00a0%`), " started ", since(started)),
    phase in STARTING && progress < RANKER_STARTS && h("p", { className: "hint" }, STARTING[phase]),
    h("ol", { className: "phases" }, bars)];
}

async function retrain(refresh) {
  try {
    await operate("/retrain", "start a training run");
    announce("Training has started.");
    await refresh();
  } catch (error) {
    toast(error.message);
  }
}
