// The user of this device: created with the first rating, and the same in every tab. Visitors read "person" for user.

import { get, post, put, remove } from "./api.js";
import { plural, toast } from "./dom.js";
import { recall, remember } from "./memory.js";
import { titled } from "./titles.js";

export const LIKED = 3.5; // the lowest rating that counts as a like
const MAX_KNOWN = 8; // users that the device remembers
const channel = new BroadcastChannel("matinee");
export const userEvents = new EventTarget(); // "change": another user; "rating": one is given;
// "ratings": other ratings or hidden movies
const emit = (name) => userEvents.dispatchEvent(new Event(name));

let id = recall("person", null);
let ratings = new Map(); // movie id -> { movie, rating }, newest first

export const current = () => id;
export const ratingOf = (movie) => ratings.get(movie)?.rating ?? 0;
export const ratingCount = () => ratings.size;
export const ratedMovies = () => [...ratings.values()].map(({ movie }) => movie);
export const knownUsers = () => recall("people", []);
export const nicknameOf = (user) => recall("names", {})[user] ?? "";
export const nameOf = (user) => nicknameOf(user) || `Person ${user}`;

// The name is kept on this device only.
export function rename(name) {
  remember("names", { ...recall("names", {}), [id]: name });
  showUser();
}

function setUser(chosen) {
  id = chosen;
  remember("person", id);
  if (id !== null) remember("people", [id, ...knownUsers().filter((other) => other !== id)].slice(0, MAX_KNOWN));
  showUser();
}

export async function switchUser(chosen) {
  setUser(chosen);
  channel.postMessage({ chosen });
  await loadRatings();
  emit("change");
}

let loading = Promise.resolve();
let loaded = id === null;
export const isNewcomer = () => id === null || (loaded && ratings.size === 0);
export const ratingsLoaded = () => loading;
export function loadRatings() {
  loading = load().then(() => void (loaded = true));
  loading.catch(() => {}); // whoever waits for it handles the error
  return loading;
}

// Fetches all ratings, page by page; the stars of every movie shown come from here.
async function load() {
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

// For when the service may not know the user: a user who has been deleted becomes a guest.
export async function reloadUser() {
  await loadRatings();
  if (id === null) emit("change");
}

function forget(gone) {
  remember("people", knownUsers().filter((other) => other !== gone));
  setUser(null);
  toast(`${nameOf(gone)} is no longer there.`);
}

// Deletes the user and everything the service holds about them.
export async function erase() {
  const gone = id;
  await remove(`/users/${gone}`);
  remember("names", { ...recall("names", {}), [gone]: undefined });
  forget(gone);
  await switchUser(null);
}

// Writes are sent one after the other, so that they keep their order and the first one alone creates a user.
let last = Promise.resolve();
const inOrder = (write) => (last = last.then(write, write));

// Sets a rating; 0 deletes it. Rejects, with everything unchanged, if the service did not confirm it.
export function rate(movie, rating) {
  emit("rating");
  return inOrder(() => write(movie, rating, true));
}

async function write(movie, rating, undoable) {
  const before = ratingOf(movie.movie_id);
  if (rating === before) return;
  if (id === null) {
    setUser((await post("/users")).user_id); // the view stays as it is
    channel.postMessage({ chosen: id });
  }
  const path = `/users/${id}/ratings/${movie.movie_id}`;
  try {
    await (rating ? put(path, { rating }) : remove(path));
  } catch (error) {
    if (error.status === 404) await reloadUser();
    throw error;
  }
  ratings.delete(movie.movie_id);
  if (rating) ratings = new Map([[movie.movie_id, { movie: movie, rating }], ...ratings]);
  emit("ratings");
  channel.postMessage({ rated: id });
  const undo = () => inOrder(() => write(movie, before, false)).catch((error) => toast(error.message, "Try again", undo));
  const done = rating ? plural(rating, "star") : "rating removed";
  if (undoable) toast(`${titled(movie)}: ${done}`, "Undo", undo);
  else toast(`Undone. ${titled(movie)}: ${done}`);
}

channel.onmessage = async ({ data }) => {
  if (data.chosen !== undefined && data.chosen !== id) setUser(data.chosen);
  else if (data.rated !== id) return;
  await loadRatings();
  emit(data.rated ? "ratings" : "change");
};

// Hidden movies are kept on the device only: hiding is no rating.
export const hidden = () => recall(`hidden-${id}`, []);
const hideOnly = (movies) => {
  remember(`hidden-${id}`, movies);
  emit("ratings");
};
export const unhide = () => hideOnly([]);
export function hide(movie) {
  hideOnly([...hidden(), movie.movie_id]);
  toast(`${titled(movie)} is hidden.`, "Undo", () => hideOnly(hidden().filter((other) => other !== movie.movie_id)));
}

export function showUser() {
  document.getElementById("person").textContent = id === null ? "Guest" : nameOf(id);
}
