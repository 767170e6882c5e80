// Routing between views, and what surrounds them: the header, the theme and the error view.

import { keepMovies, moviesAddress, path } from "./address.js";
import { announce, clear, h } from "./dom.js";
import { engine } from "./engine.js";
import { movie } from "./movie.js";
import { night } from "./night.js";
import { keepToken, recall, remember } from "./memory.js";
import { chooseUser } from "./users.js";
import { current, loadRatings, showUser, switchUser, userEvents } from "./user.js";
import { watch } from "./watch.js";
import { you } from "./you.js";

const main = document.getElementById("main");
const scrolled = new Map(); // the scroll position of each view, for the way back
let leaving = null;
let clicked = false; // otherwise the visitor goes back or forward

function route() {
  const [, view, id, token] = path().split("/");
  if (view === "") return ["watch", (signal) => watch(main, signal)];
  if (view === "movie" && /^\d{1,10}$/.test(id ?? "")) return ["movie", (signal) => movie(main, Number(id), signal)];
  if (view === "night") return ["night", (signal) => night(main, signal)];
  if (view === "me" && /^\d{1,10}$/.test(id ?? "")) return ["", () => openLink(Number(id), token)];
  if (view === "you") return ["you", (signal) => you(main, signal)];
  if (view === "engine") return ["engine", (signal) => engine(main, signal, failed)];
  return ["", () => notice("Page not found", "There is no page at this address.")];
}

// One's own link: the person, and the token that opens what is theirs.
async function openLink(id, token) {
  keepToken(id, token);
  history.replaceState(null, "", "#/you"); // so that the token is neither bookmarked by mistake nor sent on
  await switchUser(id);
}

async function go(first = false) {
  leaving?.abort();
  document.querySelectorAll("dialog").forEach((each) => each.close());
  leaving = new AbortController();
  const { signal } = leaving;
  const [name, open] = route();
  const back = !clicked && scrolled.get(location.hash);
  clicked = false;
  keepMovies();
  for (const link of document.querySelectorAll("[data-view]")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = "Matinee";
  try {
    await open(signal);
    if (!signal.aborted && !first) arrive(back || 0);
  } catch (error) {
    if (!signal.aborted) failed(error);
  }
}

let searching = false; // the search is wanted where it is not shown yet
function arrive(top) {
  if (searching) {
    searching = false;
    return document.getElementById("search").focus();
  }
  window.scrollTo(0, top);
  main.focus({ preventScroll: true });
  announce(main.querySelector("h1").textContent);
}

function failed(error) {
  leaving.abort();
  notice(error.status === 404 ? "Not in the catalogue" : "Something went wrong", error.message,
    h("button", { type: "button", onclick: () => go() }, "Try again"));
}

const notice = (title, text, action) => clear(main, h("div", { className: "failed", role: "alert" },
  h("h1", {}, title), h("p", {}, text), h("div", { className: "row" }, action, h("a", { href: moviesAddress() }, "Back to movies"))));

// "/" goes to the search, from everywhere.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")
    || document.querySelector("dialog")) return;
  event.preventDefault();
  const field = document.getElementById("search");
  if (field) field.focus();
  else [searching, location.hash] = [true, moviesAddress()];
});

const THEMES = { auto: "◐", light: "☀", dark: "☾" };
function paint(theme) {
  remember("theme", theme);
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  const button = document.getElementById("theme");
  button.textContent = THEMES[theme];
  button.title = `Theme: ${theme}`;
  button.setAttribute("aria-label", `Theme: ${theme}. Change it`);
}
const theme = () => (recall("theme") in THEMES ? recall("theme") : "auto");
const another = () => Object.keys(THEMES)[(Object.keys(THEMES).indexOf(theme()) + 1) % 3];

paint(theme());
document.getElementById("theme").addEventListener("click", () => paint(another()));
document.getElementById("person").addEventListener("click", chooseUser);
document.addEventListener("click", (event) => {
  const skip = event.target.closest(".skip");
  if (!skip) return;
  event.preventDefault(); // the place after # says which view it is
  document.getElementById(skip.hash.slice(1)).focus();
});
document.addEventListener("click", (event) => (clicked = Boolean(event.target.closest("a"))), { capture: true });
document.addEventListener("scroll", () => scrolled.set(location.hash, window.scrollY), { passive: true });
window.addEventListener("hashchange", () => go());
userEvents.addEventListener("change", () => go());
history.scrollRestoration = "manual";

showUser();
if (current() !== null) loadRatings();
go(true);
