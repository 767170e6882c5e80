// You: the name on this device, the number, the taste that the ratings show, and one's data.

import { get } from "./api.js";
import { clear, dialog, h, number, plural, toast } from "./dom.js";
import { current, erase, nameOf, nicknameOf, ratedMovies, ratingOf, ratingsLoaded, rename, userEvents } from "./user.js";

const MOST = 8; // rows of a table of taste

export async function you(main, signal) {
  document.title = "You – Matinee";
  const heading = h("h1", {}, "You");
  if (current() === null) {
    clear(main, heading, h("p", { className: "empty" }, "You are a guest. Your first rating makes you a person with a number, and this page shows your taste."),
      h("a", { href: "#/" }, "Rate a movie"));
    return;
  }
  heading.textContent = nameOf(current());
  const taste = h("div", {}, h("p", { className: "empty" }, "Loading …"));
  clear(main, h("div", { className: "engine you" }, heading,
    panel("Name and number", identity(heading)), panel("Taste", taste, "tall"), panel("Your data", ownData())));
  await ratingsLoaded();
  const draw = () => clear(taste, tasteOf(ratedMovies()));
  draw();
  userEvents.addEventListener("ratings", draw, { signal });
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
  h("p", {}, "Your number is ", h("b", {}, current()), ". Note it: it opens your ratings in another browser, and it is all that anyone needs to open them."));
}

// Genres and decades with how many movies were rated and their mean.
function tasteOf(movies) {
  if (!movies.length) return h("p", { className: "empty" }, "No ratings yet. Your taste appears with them.");
  const mean = movies.reduce((sum, movie) => sum + ratingOf(movie.movie_id), 0) / movies.length;
  return [h("p", {}, `${plural(movies.length, "rating")}, ${number(mean, 1)} stars on average.`),
    table("Genres", grouped(movies, ({ genres }) => genres)),
    table("Decades", grouped(movies, ({ year }) => (year ? [`${Math.floor(year / 10)}0s`] : [])))];
}

function grouped(movies, namesOf) {
  const groups = new Map();
  for (const movie of movies) for (const name of namesOf(movie)) groups.set(name, [...(groups.get(name) ?? []), ratingOf(movie.movie_id)]);
  return [...groups].sort((a, b) => b[1].length - a[1].length).slice(0, MOST);
}

function table(title, groups) {
  const most = Math.max(...groups.map(([, ratings]) => ratings.length));
  const bar = ([name, ratings]) => h("div", { "--share": ratings.length / most }, h("dt", {}, name),
    h("dd", { className: "length", "aria-hidden": "true" }),
    h("dd", {}, `${ratings.length}\u00a0· ★\u00a0${number(ratings.reduce((sum, each) => sum + each, 0) / ratings.length, 1)}`));
  return h("div", { className: "took" }, h("h3", {}, title), h("dl", { className: "phases" }, groups.map(bar)));
}

const ownData = () => h("div", {},
  h("p", {}, "Everything that Matinee holds about you: ratings, lists and predictions."),
  h("div", { className: "row" }, h("button", { type: "button", className: "quiet", onclick: download }, "Download"),
    h("button", { type: "button", className: "quiet", onclick: confirm }, "Delete everything")));

async function download() {
  try {
    const held = await get(`/users/${current()}/export`);
    const address = URL.createObjectURL(new Blob([JSON.stringify(held, null, 2)], { type: "application/json" }));
    h("a", { href: address, download: `matinee-${current()}.json` }).click();
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
