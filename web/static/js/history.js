// Bring a history: a file of another service is read, stored and summed up; movies that were not found are chosen by hand.

import { post, query } from "./api.js";
import { announce, clear, h, plural, toast } from "./dom.js";
import { titled } from "./titles.js";
import { becomeUser, current, mark, rate, ratingsImported } from "./user.js";

const LARGEST = 10 * 1024 * 1024; // bytes, of the service
const SCALES = { "": "as the file says", 5: "5", 10: "10", 100: "100" };
const UNRATED = { "": "as the file says", seen: "movies I have seen", later: "movies to watch later" };

export function historyPanel() {
  const input = h("input", { type: "file", id: "file", accept: ".csv,.zip,.json,.xml,.txt,.tsv", onchange: () => input.files[0] && bring(input.files[0]) });
  const scale = choice("scale", "The best rating is", SCALES), unrated = choice("unrated", "Movies without a rating are", UNRATED);
  const result = h("div", { "aria-live": "polite" });
  const bring = async (file) => {
    if (file.size > LARGEST) return clear(result, fault("This file is larger than 10 MB."));
    clear(result, h("p", {}, `Reading ${file.name} …`), h("progress", { "aria-label": "Reading the file" }));
    try {
      await becomeUser();
      const options = query({ scale: scale.field.value, unrated: unrated.field.value });
      const done = await post(`/users/${current()}/imports${options}`, file);
      await ratingsImported();
      clear(result, summary(done));
      announce(sentence(done));
    } catch (error) {
      clear(result, fault(error.status === 400 ? plain(error.detail) : error.message));
    } finally {
      input.value = "";
    }
  };
  const drop = h("div", { className: "drop", ondragover: (event) => event.preventDefault(), ondrop: (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) bring(event.dataTransfer.files[0]);
  } }, h("label", { htmlFor: "file" }, "Choose a file, or drop it here"), input);
  return h("div", {}, h("p", {}, "Ratings and watched movies of Letterboxd, IMDb, Trakt, TMDB, MovieLens, Criticker or Filmtipset, or any table with title, year and rating: the file that they let you export. Ratings that you gave here later stay."),
    drop, h("details", {}, h("summary", {}, "If the file does not say"), scale.element, unrated.element), result);
}

function choice(id, text, options) {
  const field = h("select", { id }, Object.entries(options).map(([value, word]) => h("option", { value }, word)));
  return { field, element: h("label", { className: "row", htmlFor: id }, text, field) };
}

const fault = (text) => h("p", { className: "fault", role: "alert" }, text);
// The service names the member first, and its parameters as it takes them.
const plain = (detail) => detail.replace(/^file: /, "The file: ").replace(/: say (unrated|scale)=.*/, ". Say so below “If the file does not say”, then choose the file again.");

const sentence = ({ ratings, marks, other, unmatched_count: unmatched }) => [
  `${plural(ratings.created, "rating")} added`,
  ratings.replaced && `${plural(ratings.replaced, "rating")} replaced`,
  marks.created + marks.replaced > 0 && `${plural(marks.created + marks.replaced, "movie")} marked`,
  ratings.unchanged + marks.unchanged > 0 && `${ratings.unchanged + marks.unchanged} unchanged`,
  other > 0 && `${plural(other, "title")} left out that are no movies`,
  unmatched > 0 && `${plural(unmatched, "row")} not found`].filter(Boolean).join(", ") + ".";

const summary = (done) => h("div", {}, h("p", {}, h("b", {}, sentence(done))),
  done.unmatched.length > 0 && h("details", { open: true }, h("summary", {}, "Not found: which movie is it?"),
    h("ul", { className: "unmatched" }, done.unmatched.map(unmatched))));

// A row that no movie was found for. A click on a candidate stores what the row says of it.
function unmatched({ title, year, rating, mark: kind, reason, candidates }) {
  const row = h("li", {});
  const choose = async (movie) => {
    try {
      await (rating ? rate(movie, rating) : mark(movie, kind ?? "seen"));
      clear(row, `✓ ${titled(movie)}`);
    } catch (error) {
      toast(error.message);
    }
  };
  const button = (movie) => h("button", { type: "button", className: "quiet", onclick: () => choose(movie) }, `${titled(movie)} (${movie.year ?? "?"})`);
  row.append(h("b", {}, title || "Without a title"), year ? ` (${year})` : "", rating ? ` ★\u00a0${rating}` : "", h("span", { className: "hint" }, ` ${reason}`),
    h("div", { className: "row" }, candidates.map(button)));
  return row;
}
