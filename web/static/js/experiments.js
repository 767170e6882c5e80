// Experiments: what became of the lists of each arm, and the difference to the control. For operators.

import { glance, operate } from "./api.js";
import { figure, legend, showFigures, table } from "./chart.js";
import { clear, h, number, since, toast } from "./dom.js";

const SHOWN = 3; // experiments

export async function showExperiments(place, signal) {
  try {
    draw(place, signal, await glance("/experiments", signal));
  } catch (error) {
    if (signal.aborted) return;
    const mayAsk = error.status === 401 || (error.status === 403 && !error.closed);
    clear(place, h("p", { className: "empty" }, mayAsk ? "Only operators see experiments." : error.message),
      mayAsk && h("button", { type: "button", className: "quiet", onclick: () => ask(place, signal) }, "Show the experiments"));
  }
}

async function ask(place, signal) {
  try {
    draw(place, signal, await operate("/experiments", "see the experiments", "GET"));
  } catch (error) {
    toast(error.message);
  }
}

function draw(place, signal, { items }) {
  if (!items.length) return clear(place, h("p", { className: "empty" }, "There has been no experiment. matinee experiment start begins one on the command line."));
  return clear(place, items.slice(0, SHOWN).map((each) => {
    const result = h("div");
    const element = h("div", { className: "took" }, h("h3", {}, each.name), h("p", { className: "hint" }, state(each)), result);
    queueMicrotask(() => compare(result, each, signal)); // once it stands in the page, and so has a width
    return element;
  }));
}

const state = ({ share, interleave, state: now, started_at: started, ended_at: ended, reason }) => [
  `${share}\u00a0% of the users, ${interleave ? "both arms in each list" : "one arm each"}. Started `, since(started),
  ended ? [", ended ", since(ended), reason && `: ${reason}`] : now === "judging" ? ", judged on the held-out users first" : ", running", "."];

function compare(place, { name, arms }, signal) {
  const [control, ...others] = arms;
  const measured = others.filter(({ difference: [value] }) => value !== null);
  const numbers = table(`Arms of ${name}`, ["Arm", "users", "shown", "liked", "likes per user minus the control’s"], arms.map((arm) => [
    arm.ended ? `${arm.name} (ended)` : arm.name, number(arm.users), number(arm.shown), number(arm.liked), arm === control ? "control" : interval(arm.difference)]));
  if (!measured.length) return clear(place, h("p", { className: "empty" }, "Too few users so far for an interval: it takes 30 in an arm."), numbers);
  const points = measured.map(({ name: arm, ended, difference: [value, low, high] }) => ({ name: arm, values: [{ kind: ended ? "rejected" : "live", value, low, high }] }));
  return showFigures(place, signal, [figure("Likes per user", `minus those of the control, “${control.name}”`, points, { zero: true })],
    legend([], null, "Below the zero line it is worse. The interval holds however often you look."), numbers);
}

const interval = ([value, low, high]) => (value === null ? "–" : `${number(value, 3)} (${number(low, 3)} – ${number(high, 3)})`);
