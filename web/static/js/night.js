// Movie night: people and guests, one list for all of them. The address names the members; what guests have rated stays in
// this tab. The link to share holds the list as it is: movies and expected stars, and so nobody's ratings.

import { parameter, setParameters } from "./address.js";
import { get, latestOnly, query, read } from "./api.js";
import { announce, clear, dialog, h, plural, toast } from "./dom.js";
import { keepToken, recall, remember, tokenOf } from "./memory.js";
import { expected, placeholders, ticket } from "./movies.js";
import { titled } from "./titles.js";
import { all as allPages, current, knownUsers, nameOf } from "./user.js";

const [FEWEST, MOST] = [2, 8]; // members, as the service has it
const ON_THE_SPOT = 5; // movies that a guest rates
const OFFERED = 12;
const SIZE = 10;
const RULES = { average: "What all like on average", fair: "Something for each" };

// A member is { user } or { name, ratings }, in the address a number or a name; null ratings: those are in another tab.
const guests = () => recall("guests", {}, "tab"); // name -> [[movie id, stars], ...]
function members() {
  const given = parameter("with") || (current() === null ? "" : String(current()));
  const each = [...new Set(given.split("|").map((text) => text.split(";")[0].trim()))].filter((text) => text && text !== "0");
  return each.slice(0, MOST).map((text) => (/^\d{1,10}$/.test(text) ? { user: Number(text) } : { name: text, ratings: guests()[text] ?? null }));
}
const written = ({ user, name }) => (user ? String(user) : name);
const named = ({ user, name }) => name ?? nameOf(user);

// A member as the service takes it. With tokens, it takes no other stored user than the caller: others who have opened
// their own link here come as guests, with the ratings that their token opens.
async function asked({ user, ratings }) {
  if (!user) return { ratings: ratings.map(([movie, rating]) => ({ movie_id: movie, rating })) };
  if (user === current() || !tokenOf(user)) return user;
  return { ratings: (await allPages(`/users/${user}/ratings`)).map(({ movie, rating }) => ({ movie_id: movie.movie_id, rating })) };
}
// Why something was liked is shown of those who use this device, and of nobody else.
const isOfThisDevice = ({ user }) => !user || knownUsers().includes(user);

export async function night(main, signal) {
  document.title = "Movie night – Matinee";
  if (parameter("list")) return sharedNight(main, signal);
  const people = h("ul", { className: "members", "aria-label": "Who is watching" });
  const adding = h("div", { className: "row" });
  const list = h("ol", { className: "tickets", id: "night" });
  const nextSignal = latestOnly(signal);
  const change = (all) => {
    setParameters({ with: all.map(written).join("|") }, true);
    return draw();
  };
  const add = (member) => change([...members(), member]);
  const addRated = ({ name, ratings }) => {
    const before = members(), again = before.some((each) => each.name === name && !each.ratings);
    let free = name;
    for (let n = 2; !again && before.some((each) => each.name === free); n += 1) free = `${name} ${n}`;
    remember("guests", { ...guests(), [free]: ratings }, "tab");
    return again ? draw() : add({ name: free });
  };
  let shared = ""; // the link to the list that is shown

  async function draw() {
    const all = members();
    const button = (text, onclick) => h("button", { type: "button", className: "quiet", onclick }, text);
    clear(people, all.map((member, at) => h("li", {}, h("b", {}, named(member)), member.ratings && h("span", {}, ` ${plural(member.ratings.length, "rating")}`),
      member.ratings === null && button("Rate again", () => addGuest(addRated, member.name)),
      h("button", { type: "button", className: "quiet round", "aria-label": `Remove ${named(member)}`, onclick: () => change(all.filter((_, n) => n !== at)) }, "✕"))));
    const there = new Set(all.map(({ user }) => user));
    clear(adding, all.length < MOST && [knownUsers().filter((user) => !there.has(user)).map((user) => button(`Add ${nameOf(user)}`, () => add({ user }))),
      button("Add a guest", () => addGuest(addRated)), button("Add by number or link", () => addByNumber(add, there))]);
    if (all.length < FEWEST) return clear(list, h("li", { className: "empty" }, all.length ? "Add one more person to see what you could watch together." : "Add two people to see what they could watch together."));
    const absent = all.find(({ ratings }) => ratings === null);
    if (absent) return clear(list, h("li", { className: "empty" }, `What ${absent.name} rated stays in the tab where it was rated. Rate again here, or remove ${absent.name}.`));
    const latest = nextSignal();
    if (!list.children.length) clear(list, placeholders(SIZE));
    list.setAttribute("aria-busy", "true");
    try {
      const { items } = await read("/groups/recommendations", { members: await Promise.all(all.map(asked)), rule: rule(), limit: SIZE }, latest);
      shared = link(items, all);
      clear(list, items.length ? items.map((item) => row(item, all)) : h("li", { className: "empty" }, "You have all rated every movie."));
      announce(items.length ? `First is ${titled(items[0].movie)}.` : "The list is empty.");
    } catch (error) {
      if (!latest.aborted) clear(list, h("li", { className: "empty", role: "alert" }, error.status === 404 ? "One of these people is no longer there. Remove them."
        : [401, 403].includes(error.status) ? "One of these people has a token: add them by their own link, or as a guest." : error.message));
    } finally {
      if (!latest.aborted) list.removeAttribute("aria-busy");
    }
  }
  const rules = Object.entries(RULES).map(([name, text]) => h("label", {},
    h("input", { type: "radio", name: "rule", value: name, checked: name === rule(), onchange: () => (setParameters({ rule: name }, true), draw()) }), ` ${text}`));
  clear(main, h("div", { className: "night" }, h("h1", {}, "Movie night"),
    h("section", { className: "panel", "aria-label": "Who is watching" }, h("h2", {}, "Who is watching?"), people, adding,
      h("fieldset", { className: "row" }, h("legend", { className: "unseen" }, "What counts"), rules),
      h("button", { type: "button", className: "quiet", onclick: () => share(shared) }, "Copy a link to this list"),
      h("p", { className: "hint" }, "The link shows names, movies and expected stars. It holds nobody’s ratings.")),
    h("section", { className: "next", "aria-label": "Watch together" }, h("h2", {}, "Watch together"), list)));
  await draw();
}

const rule = () => (parameter("rule") in RULES ? parameter("rule") : "average");

// "318:4.5:4.2;296:4.1:4.8": movies with the stars of each member.
const link = (items, all) => new URL(`#/night${query({ names: all.map(named).join("|"),
  list: items.map(({ movie, members: stars }) => [movie.movie_id, ...stars.map(({ expected_rating: each }) => each.toFixed(1))].join(":")).join(";") })}`, location.href).href;

const share = (address) => !address ? toast("There is no list to share yet.") : (navigator.clipboard?.writeText(address) ?? Promise.reject()).then(
  () => toast("The link is copied. It shows this list to everyone who opens it."),
  () => dialog("Link to this list", () => h("p", { className: "link-text" }, address)));

async function sharedNight(main, signal) {
  const names = parameter("names").split("|").slice(0, MOST);
  const rows = parameter("list").split(";").map((each) => each.split(":").map(Number)).filter(([id, ...stars]) => id > 0 && stars.length === names.length && stars.every((each) => each > 0 && each <= 5)).slice(0, SIZE);
  const list = h("ol", { className: "tickets", id: "night" }, placeholders(rows.length));
  clear(main, h("div", { className: "night" }, h("h1", {}, "Movie night"),
    h("section", { className: "panel", "aria-label": "Who is watching" }, h("h2", {}, "Who is watching?"), h("p", {}, names.join(", ")),
      h("p", { className: "hint" }, "A list that somebody shared, as it was then."), h("a", { href: "#/night" }, "Plan your own night")),
    h("section", { className: "next", "aria-label": "Watch together" }, h("h2", {}, "Watch together"), list)));
  const { items } = rows.length ? await get(`/movies${query({ movie_id: rows.map(([id]) => id) })}`, signal) : { items: [] };
  const movies = new Map(items.map((movie) => [movie.movie_id, movie]));
  const there = rows.filter(([id]) => movies.has(id)).map(([id, ...stars], at) => ({ rank: at + 1, movie: movies.get(id),
    expected_rating: stars.reduce((sum, each) => sum + each, 0) / stars.length, members: stars.map((each) => ({ expected_rating: each })) }));
  clear(list, there.length ? there.map((item) => row(item, names.map((name) => ({ name })))) : h("li", { className: "empty" }, "This link holds no list that can be shown."));
}

function row({ rank, movie, expected_rating: mean, members: opinions }, all) {
  const opinion = ({ expected_rating: rating, because }, at) => h("li", {}, h("b", {}, named(all[at])), ` ★\u00a0${rating.toFixed(1)}`,
    because && isOfThisDevice(all[at]) && h("span", {}, `, because of ${titled(because)}`));
  return h("li", {}, ticket(movie, { stub: h("b", {}, rank), whose: null, more: h("ul", { className: "opinions" }, opinions.map(opinion)), aside: h("div", { className: "aside" }, expected(mean, "together")) }));
}

const addByNumber = (add, there) => dialog("Add by number or link", (close) => {
  const fault = h("p", { className: "fault", role: "alert" });
  const field = h("input", { id: "member", required: true, autocomplete: "off" });
  const submit = async (event) => {
    event.preventDefault();
    const [, owner, token] = field.value.match(/#\/me\/(\d{1,9})(?:\/([\w-]+))?$/) ?? [];
    const user = Number(owner ?? field.value.match(/(\d{1,9})\D*$/)?.[1]);
    keepToken(user, token);
    if (!user) return (fault.textContent = "A number, or a link that ends with one.");
    if (there.has(user)) return (fault.textContent = `${nameOf(user)} is there already.`);
    try {
      await get(`/users/${user}`);
    } catch (error) {
      return (fault.textContent = error.status === 404 ? `There is no person ${user}.` : error.message);
    }
    close();
    return add({ user });
  };
  return h("form", { onsubmit: submit }, h("label", { htmlFor: "member" }, "The person’s number, or their own link"), field, fault, h("button", { type: "submit" }, "Add"));
});

// A guest rates five movies here; the service stores nothing about them.
const addGuest = (add, known = "") => dialog("Add a guest", (close) => {
  const given = new Map();
  const name = h("input", { id: "guest", required: true, maxLength: 20, autocomplete: "off", value: known });
  const done = h("button", { type: "submit", disabled: true }, "Add the guest");
  const left = h("p", { className: "hint", "aria-live": "polite" });
  const count = () => {
    const rest = ON_THE_SPOT - given.size;
    left.textContent = rest > 0 ? `Rate ${rest} more.` : "That is enough; more say more.";
    done.disabled = rest > 0;
  };
  const whose = { ratingOf: (movie) => given.get(movie) ?? 0, rate: async ({ movie_id: movie }, rating) => {
    if (rating) given.set(movie, rating);
    else given.delete(movie);
    count();
  } };
  const list = h("ol", { className: "tickets" }, placeholders(ON_THE_SPOT));
  get(`/movies${query({ sort: "informative", limit: OFFERED })}`).then(
    ({ items }) => clear(list, items.map((movie) => h("li", {}, ticket(movie, { whose })))), (error) => (left.textContent = error.message));
  const submit = (event) => {
    event.preventDefault();
    close();
    add({ name: name.value.replace(/[|;]/g, " ").trim().replace(/^\d+$/, "Guest $&") || "Guest", ratings: [...given] });
  };
  count();
  return h("form", { onsubmit: submit }, h("label", { htmlFor: "guest" }, "Name"), name, left, list, done);
});
