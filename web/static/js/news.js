// Which movies are new here: added within a month, and later than the most popular one: a new dataset is not news.

import { get, query } from "./api.js";

const MONTH = 30 * 24 * 3600 * 1000; // ms
const APART = 1000; // ms in which a catalogue is filled

let filled = null; // when the catalogue was filled
async function mostPopularAdded() {
  const { items: [first] } = await get(`/movies${query({ sort: "popularity", limit: 1 })}`);
  return first ? Date.parse((await get(`/movies/${first.movie_id}`)).added_at) : 0;
}

// The time from which on added movies are new.
export async function newSince() {
  filled ??= mostPopularAdded();
  return new Date(Math.max(Date.now() - MONTH, (await filled) + APART));
}

export const isNew = async ({ added_at: added }) => new Date(added) > Date.now() - MONTH && new Date(added) >= (await newSince());
