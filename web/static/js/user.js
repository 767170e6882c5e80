// The user of this device: created with the first rating, and the same in every tab. Visitors read "person" for user.

import { get, post, put, query, remove } from "./api.js";
import { plural, toast } from "./dom.js";
import { keepToken, recall, remember } from "./memory.js";
import { titled } from "./titles.js";

export const LIKED = 3.5; // the lowest rating that counts as a like
const MAX_KNOWN = 8; // users that the device remembers
const channel = new BroadcastChannel("matinee");
export const userEvents = new EventTarget(); // "change": another user; "rating": one is given;
// "ratings": other ratings or marks
const emit = (name) => userEvents.dispatchEvent(new Event(name));

let id = recall("person", null);
let ratings = new Map(); // movie id -> { movie, rating }, newest first
let marks = new Map(); // movie id -> { movie, mark }, newest first

export const current = () => id;
export const ratingOf = (movie) => ratings.get(movie)?.rating ?? 0;
export const markOf = (movie) => marks.get(movie)?.mark ?? null;
export const marked = (kind) => [...marks.values()].filter(({ mark }) => mark === kind).map(({ movie }) => movie);
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

// Fetches all ratings and marks; what every movie shows of them comes from here.
async function load() {
  const whose = id;
  let found = [[], []];
  try {
    if (whose !== null && recall(`hidden-${whose}`, []).length) await sendHidden(whose);
    if (whose !== null) found = await Promise.all(["ratings", "marks"].map((kind) => all(`/users/${whose}/${kind}`)));
  } catch (error) {
    if (error.status !== 404) throw error;
    forget(whose);
  }
  if (id !== whose && id !== null) return;
  [ratings, marks] = found.map((items) => new Map(items.map((item) => [item.movie.movie_id, item])));
}

// Movies that an earlier page had hidden on this device alone become marks.
async function sendHidden(user) {
  const name = `hidden-${user}`;
  for (const movie of recall(name, [])) await put(`/users/${user}/marks/${movie}`, { mark: "hidden" }).catch(() => {}); // gone since
  remember(name, []);
}

export async function all(path) {
  const items = [];
  let cursor = null;
  do {
    const page = await get(`${path}${query({ limit: 100, cursor })}`);
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  return items;
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

// A guest becomes a person with a number; the view stays as it is.
export async function becomeUser() {
  if (id !== null) return;
  const created = await post("/users");
  keepToken(created.user_id, created.token);
  setUser(created.user_id);
  channel.postMessage({ chosen: id });
}

const RATING = {
  of: ratingOf,
  send: (path, rating) => (rating ? put(path, { rating }) : remove(path)),
  says: (rating) => (rating ? plural(rating, "star") : "rating removed"),
  keep(movie, rating) {
    ratings.delete(movie.movie_id);
    if (!rating) return;
    ratings = new Map([[movie.movie_id, { movie, rating }], ...ratings]);
    if (markOf(movie.movie_id) !== "hidden") marks.delete(movie.movie_id); // as the service does
  },
};
const MARK = {
  of: markOf,
  send: (path, mark) => (mark ? put(path, { mark }) : remove(path)),
  says: (mark) => ({ seen: "marked as seen", later: "to watch later", hidden: "hidden" })[mark] ?? "mark removed",
  keep(movie, mark) {
    marks.delete(movie.movie_id);
    if (mark) marks = new Map([[movie.movie_id, { movie, mark }], ...marks]);
  },
};

// Sets a rating; 0 deletes it. Rejects, with everything unchanged, if the service did not confirm it.
export function rate(movie, rating) {
  emit("rating");
  return inOrder(() => write(movie, "ratings", RATING, rating, true));
}

// Sets a mark ("seen", "later" or "hidden"); null deletes it. Rejects like `rate`.
export const mark = (movie, kind) => inOrder(() => write(movie, "marks", MARK, kind, true));

async function write(movie, route, { of, send, says, keep }, value, undoable) {
  const before = of(movie.movie_id);
  if (value === before) return;
  await becomeUser();
  try {
    await send(`/users/${id}/${route}/${movie.movie_id}`, value);
  } catch (error) {
    if (error.status === 404) await reloadUser();
    throw error;
  }
  keep(movie, value);
  tellOthers();
  const back = () => write(movie, route, { of, send, says, keep }, before, false);
  const undo = () => inOrder(back).catch((error) => toast(error.message, "Try again", undo));
  if (undoable) toast(`${titled(movie)}: ${says(value)}`, "Undo", undo);
  else toast(`Undone. ${titled(movie)}: ${says(value)}`);
}

// The views of this tab and the other tabs of this device.
function tellOthers() {
  emit("ratings");
  channel.postMessage({ rated: id });
}

// After an import: everything may have changed.
export async function ratingsImported() {
  await loadRatings();
  tellOthers();
}

channel.onmessage = async ({ data }) => {
  if (data.chosen !== undefined && data.chosen !== id) setUser(data.chosen);
  else if (data.rated !== id) return;
  await loadRatings();
  emit(data.rated ? "ratings" : "change");
};

export function showUser() {
  document.getElementById("person").textContent = id === null ? "Guest" : nameOf(id);
}
