// Who rates here: remembered on this device, made at the first rating, and the same in every tab.

import { get, post, put, remove } from "./api.js";
import { several, toast } from "./dom.js";
import { recall, remember } from "./memory.js";
import { brief } from "./titles.js";

const KNOWN = 8; // people whom the device remembers
const tabs = new BroadcastChannel("matinee");
export const person = new EventTarget(); // "change": somebody else; "ratings": their ratings, or what they hide
const tell = (what) => person.dispatchEvent(new Event(what));

let id = recall("person", null);
let ratings = new Map(); // movie id -> { movie, rating }, the newest first, of the person at hand

export const current = () => id;
export const ratingOf = (movie) => ratings.get(movie)?.rating ?? 0;
export const ratingCount = () => ratings.size;
export const ratedMovies = () => [...ratings.values()].map(({ movie }) => movie);
export const known = () => recall("people", []);

function become(chosen) {
  id = chosen;
  remember("person", id);
  if (id !== null) remember("people", [id, ...known().filter((other) => other !== id)].slice(0, KNOWN));
  show();
}

export async function choose(chosen) {
  become(chosen);
  tabs.postMessage({ chosen });
  await load();
  tell("change");
}

// All ratings, page by page: the stars of every movie that is shown come from here.
export async function load() {
  const whose = id;
  const found = new Map();
  let cursor = null;
  try {
    do {
      const page = whose === null ? { items: [] } : await get(`/users/${whose}/ratings?limit=100${cursor ? `&cursor=${cursor}` : ""}`);
      for (const { movie, rating } of page.items) found.set(movie.movie_id, { movie, rating });
      cursor = page.next_cursor;
    } while (cursor);
  } catch (error) {
    if (error.status !== 404) throw error;
    forget(whose);
  }
  if (id === whose || id === null) ratings = found;
}

// The service does not know the person, or may not: whoever has been erased is a guest from now on.
export async function recheck() {
  await load();
  if (id === null) tell("change");
}

function forget(gone) {
  remember("people", known().filter((other) => other !== gone));
  become(null);
  toast(`Person ${gone} is no longer there.`);
}

// One write after the other, in the order in which people do things; so the first makes one person, too.
let last = Promise.resolve();
const inTurn = (act) => (last = last.then(act, act));

// Sets a rating, 0 takes it back; rejects, with everything as it was, when the service did not confirm it.
export const rate = (movie, rating) => inTurn(() => write(movie, rating, true));

async function write(movie, rating, undoable) {
  const before = ratingOf(movie.movie_id);
  if (rating === before) return;
  if (id === null) {
    become((await post("/users")).user_id); // the guest: nothing around the movie changes
    tabs.postMessage({ chosen: id });
  }
  const path = `/users/${id}/ratings/${movie.movie_id}`;
  try {
    await (rating ? put(path, { rating }) : remove(path));
  } catch (error) {
    if (error.status === 404) await recheck();
    throw error;
  }
  ratings.delete(movie.movie_id);
  if (rating) ratings = new Map([[movie.movie_id, { movie: movie, rating }], ...ratings]);
  tell("ratings");
  tabs.postMessage({ rated: id });
  const undo = () => inTurn(() => write(movie, before, false)).catch((error) => toast(error.message, "Try again", undo));
  const done = rating ? several(rating, "star") : "rating taken back";
  if (undoable) toast(`${brief(movie)}: ${done}`, "Undo", undo);
  else toast(`Undone. ${brief(movie)}: ${done}`);
}

tabs.onmessage = async ({ data }) => {
  if (data.chosen !== undefined && data.chosen !== id) become(data.chosen);
  else if (data.rated !== id) return;
  await load();
  tell(data.rated ? "ratings" : "change");
};

// Hidden movies are the device's, not the service's: that somebody does not want to see a movie here says nothing of it.
export const hidden = () => recall(`hidden-${id}`, []);
const hideOnly = (movies) => {
  remember(`hidden-${id}`, movies);
  tell("ratings");
};
export const unhide = () => hideOnly([]);
export function hide(movie) {
  hideOnly([...hidden(), movie.movie_id]);
  toast(`${brief(movie)} is hidden.`, "Undo", () => hideOnly(hidden().filter((other) => other !== movie.movie_id)));
}

export function show() {
  document.getElementById("person").textContent = id === null ? "Guest" : `Person ${id}`;
}
