// You: the name on this device, the number, the taste that the ratings show, and one's data.

import { get, latestOnly, query } from "./api.js";
import { clear, dialog, h, toast } from "./dom.js";
import { historyPanel } from "./history.js";
import { tokenOf } from "./memory.js";
import { taste } from "./taste.js";
import { titled } from "./titles.js";
import { current, erase, mark, marked, nameOf, nicknameOf, ratingsLoaded, rename, userEvents } from "./user.js";

export async function you(main, signal, bring = panel("Bring your ratings", historyPanel())) {
  document.title = "You – Matinee";
  const heading = h("h1", {}, "You");
  if (current() === null) {
    clear(main, h("div", { className: "engine you" }, heading,
      panel("A guest", h("div", {}, h("p", {}, "You are a guest. Your first rating makes you a person with a number, and this page shows your taste."), h("a", { href: "#/" }, "Rate a movie"))),
      bring));
    userEvents.addEventListener("ratings", () => current() !== null && you(main, signal, bring), { signal, once: true }); // what an import said stays
    return;
  }
  heading.textContent = nameOf(current());
  const [shown, marks] = Array.from({ length: 2 }, () => h("div", {}, h("p", { className: "empty" }, "Loading …")));
  clear(main, h("div", { className: "engine you" }, heading,
    panel("Name and number", identity(heading)), panel("Taste", shown, "tall"), bring, panel("Marked movies", marks), panel("Your data", ownData())));
  const nextSignal = latestOnly(signal);
  const draw = async () => {
    const latest = nextSignal();
    clear(marks, markedMovies());
    clear(shown, taste(await get(`/users/${current()}/taste`, latest)));
  };
  userEvents.addEventListener("ratings", () => draw().catch(() => {}), { signal });
  await ratingsLoaded();
  await draw();
}

const panel = (title, body, size = "") => h("section", { className: `panel ${size}`, "aria-label": title }, h("h2", {}, title), body);

function identity(heading) {
  const field = h("input", { id: "nickname", maxLength: 40, autocomplete: "nickname", placeholder: nameOf(current()), value: nicknameOf(current()) });
  const save = (event) => {
    event.preventDefault();
    rename(field.value.trim());
    heading.textContent = nameOf(current());
    toast("The name is saved on this device.");
  };
  return h("div", {}, h("form", { className: "took", onsubmit: save }, h("label", { htmlFor: "nickname" }, "Name, on this device only"),
    h("div", { className: "row" }, field, h("button", { type: "submit", className: "quiet" }, "Save"))),
  h("p", {}, "Your number is ", h("b", {}, current()), tokenOf(current()) ? ". Your own link opens your ratings in another browser: keep it to yourself."
    : ". Note it: it opens your ratings in another browser, and it is all that anyone needs to open them."),
  h("button", { type: "button", className: "quiet", onclick: copyLink }, "Copy your own link"));
}

// The token is behind the #, so that no server and no other site gets to see it.
function copyLink() {
  const address = new URL(`#/me/${[current(), tokenOf(current())].filter(Boolean).join("/")}`, location.href).href;
  (navigator.clipboard?.writeText(address) ?? Promise.reject()).then(() => toast("Your link is copied. Whoever has it can see and change your ratings."),
    () => dialog("Your own link", () => h("p", { className: "link-text" }, address)));
}

// Movies that are marked, each with a button that removes its mark.
function markedMovies() {
  const lists = [["later", "To watch later"], ["seen", "Seen, not rated"], ["hidden", "Hidden"]].map(([kind, title]) => [title, marked(kind)]);
  const row = (movie) => h("li", {}, h("a", { href: `#/movie/${movie.movie_id}` }, titled(movie)),
    h("button", { type: "button", className: "quiet round", "aria-label": `Remove the mark of ${titled(movie)}`, title: "Remove",
      onclick: () => mark(movie, null).catch((error) => toast(error.message)) }, "✕"));
  const filled = lists.filter(([, movies]) => movies.length);
  return filled.length ? filled.map(([title, movies]) => h("div", { className: "took" }, h("h3", {}, title), h("ul", { className: "plain marked" }, movies.map(row))))
    : h("p", { className: "empty" }, "Movies that you mark as seen, for later or hidden stand here.");
}

const ownData = () => h("div", {},
  h("p", {}, "Everything that Matinee holds about you: ratings, lists and predictions."),
  h("div", { className: "row" }, Object.entries(DOWNLOADS).map(([format, text]) => h("button", { type: "button", className: "quiet", onclick: () => download(format) }, text)),
    h("button", { type: "button", className: "quiet", onclick: confirm }, "Delete everything")));

const DOWNLOADS = { json: "Download", csv: "Ratings as CSV", letterboxd: "For Letterboxd" };

async function download(format) {
  try {
    const held = await get(`/users/${current()}/export${query({ format })}`);
    const table = format !== "json";
    const address = URL.createObjectURL(new Blob([table ? held : JSON.stringify(held, null, 2)], { type: table ? "text/csv" : "application/json" }));
    h("a", { href: address, download: table ? `matinee-${current()}-${format}.csv` : `matinee-${current()}.json` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  } catch (error) {
    toast(error.message);
  }
}

const confirm = () => dialog("Delete everything?", (close) => {
  const go = () => erase().then(() => toast("Everything about you is deleted."), (error) => toast(error.message));
  return h("div", {}, h("p", {}, `All ratings of ${nameOf(current())} are deleted at once. This cannot be undone.`),
    h("div", { className: "row" }, h("button", { type: "button", className: "quiet", onclick: close }, "Keep them"),
      h("button", { type: "button", onclick: () => (close(), go()) }, "Delete")));
});
