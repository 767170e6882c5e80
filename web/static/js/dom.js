// Creates elements. Text is always added as text nodes, so nothing from outside can become markup.

export function h(tag, props = {}, ...children) {
  const svg = tag.startsWith("svg:");
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4)) : document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.startsWith("--")) element.style.setProperty(name, value);
    else if (name in element && !svg) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...nonEmpty(children));
  return element;
}

const nonEmpty = (children) => children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
export const clear = (element, ...children) => element.replaceChildren(...nonEmpty(children));

// For screen readers; the pause makes them repeat a text that is the same as before.
let announcing;
export function announce(text) {
  const region = document.getElementById("announcer");
  region.textContent = "";
  clearTimeout(announcing);
  announcing = setTimeout(() => (region.textContent = text), 100);
}

// Shows a message for some seconds, with an action; Ctrl+Z performs "Undo" too.
let hiding, undoing;
export function toast(text, action, act) {
  const region = document.getElementById("toast");
  const close = () => {
    undoing = null;
    clear(region);
  };
  const perform = () => (close(), act());
  undoing = action === "Undo" ? perform : null;
  clear(region, h("span", {}, text), action && h("button", { type: "button", className: "link", onclick: perform }, action));
  clearTimeout(hiding);
  hiding = setTimeout(function leave() {
    if (region.matches(":hover, :focus-within")) hiding = setTimeout(leave, 2000);
    else close();
  }, 8000);
}
document.addEventListener("keydown", (event) => {
  if (event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.target.matches("input:not([type=range])")) return;
  if (undoing) event.preventDefault();
  undoing?.();
});

// Opens a modal dialog, removed when it closes; `build` gets the function that closes it.
export function dialog(title, build) {
  const box = h("dialog", { "aria-label": title, onclose: () => box.remove() });
  const close = () => box.close();
  box.append(
    h("div", { className: "dialog-head" }, h("h2", {}, title),
      h("button", { type: "button", className: "quiet round", "aria-label": "Close", onclick: close }, "✕")),
    build(close));
  box.addEventListener("click", (event) => event.target === box && close());
  document.body.append(box);
  box.showModal();
  box.querySelector("button:not(.round), input").focus();
  return box;
}

export const prefersReducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export const number = (value, digits = 0) =>
  value === null || value === undefined
    ? "–"
    : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

export const plural = (count, one) => `${number(count, count % 1 ? 1 : 0)} ${one}${count === 1 ? "" : "s"}`;

// A time such as "5 minutes ago", kept up to date while it is shown.
export const since = (moment) => h("time", { dateTime: moment, title: new Date(moment).toLocaleString() }, ago(moment));
setInterval(() => document.querySelectorAll("time").forEach((each) => (each.textContent = ago(each.dateTime))), 20000);

export function ago(moment) {
  const seconds = (Date.now() - new Date(moment)) / 1000;
  const [unit, length] = [["day", 86400], ["hour", 3600], ["minute", 60]].find(([, each]) => seconds >= each) ?? [];
  return unit ? `${plural(Math.floor(seconds / length), unit)} ago` : "just now";
}
