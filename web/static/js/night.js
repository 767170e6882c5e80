// Movie night: people and guests, one list for all of them. The address has the members, so it is the link to share.

import { parameter, setParameters } from "./address.js";
import { get, latestOnly, query, read } from "./api.js";
import { announce, clear, dialog, h, plural, toast } from "./dom.js";
import { expected, placeholders, ticket } from "./movies.js";
import { titled } from "./titles.js";
import { current, knownUsers, nameOf } from "./user.js";

const [FEWEST, MOST] = [2, 8]; // members, as the service has it
const ON_THE_SPOT = 5; // movies that a guest rates
const OFFERED = 12;
const SIZE = 10;
const RULES = { average: "What all like on average", fair: "Something for each" };

// A member is { user } or { name, ratings: [[movie id, stars], ...] }; in the address "7|Ann;318:5;296:4.5".
function members() {
  const given = parameter("with") || (current() === null ? "" : String(current()));
  return given.split("|").filter(Boolean).map((text) => {
    const [name, ...ratings] = text.split(";");
    return ratings.length ? { name, ratings: ratings.map((each) => each.split(":").map(Number)) } : { user: Number(name) };
  }).filter(({ user, ratings }) => ratings || user > 0).slice(0, MOST);
}
const written = ({ user, name, ratings }) => (user ? String(user) : [name, ...ratings.map((each) => each.join(":"))].join(";"));
const named = ({ user, name }) => name ?? nameOf(user);

export async function night(main, signal) {
  document.title = "Movie night – Matinee";
  const people = h("ul", { className: "members", "aria-label": "Who is watching" });
  const adding = h("div", { className: "row" });
  const list = h("ol", { className: "tickets", id: "night" });
  const nextSignal = latestOnly(signal);
  const change = (all) => {
    setParameters({ with: all.map(written).join("|") }, true);
    return draw();
  };
  const add = (member) => change([...members(), member]);

  async function draw() {
    const all = members();
    clear(people, all.map((member, at) => h("li", {}, h("b", {}, named(member)), member.ratings && h("span", {}, ` ${plural(member.ratings.length, "rating")}`),
      h("button", { type: "button", className: "quiet round", "aria-label": `Remove ${named(member)}`, onclick: () => change(all.filter((_, n) => n !== at)) }, "✕"))));
    const there = new Set(all.map(({ user }) => user));
    const button = (text, onclick) => h("button", { type: "button", className: "quiet", onclick }, text);
    clear(adding, all.length < MOST && [knownUsers().filter((user) => !there.has(user)).map((user) => button(`Add ${nameOf(user)}`, () => add({ user }))),
      button("Add a guest", () => addGuest(add)), button("Add by number or link", () => addByNumber(add, there))]);
    if (all.length < FEWEST) return clear(list, h("li", { className: "empty" }, all.length ? "Add one more person to see what you could watch together." : "Add two people to see what they could watch together."));
    const latest = nextSignal();
    if (!list.children.length) clear(list, placeholders(SIZE));
    list.setAttribute("aria-busy", "true");
    try {
      const asked = all.map(({ user, ratings }) => user ?? { ratings: ratings.map(([movie, rating]) => ({ movie_id: movie, rating })) });
      const { items } = await read("/groups/recommendations", { members: asked, rule: rule(), limit: SIZE }, latest);
      clear(list, items.length ? items.map((item) => row(item, all)) : h("li", { className: "empty" }, "You have all rated every movie."));
      announce(items.length ? `First is ${titled(items[0].movie)}.` : "The list is empty.");
    } catch (error) {
      if (!latest.aborted) clear(list, h("li", { className: "empty", role: "alert" }, error.status === 404 ? "One of these people is no longer there. Remove them." : error.message));
    } finally {
      if (!latest.aborted) list.removeAttribute("aria-busy");
    }
  }
  const rules = Object.entries(RULES).map(([name, text]) => h("label", {},
    h("input", { type: "radio", name: "rule", value: name, checked: name === rule(), onchange: () => (setParameters({ rule: name }, true), draw()) }), ` ${text}`));
  clear(main, h("div", { className: "night" }, h("h1", {}, "Movie night"),
    h("section", { className: "panel", "aria-label": "Who is watching" }, h("h2", {}, "Who is watching?"), people, adding,
      h("fieldset", { className: "row" }, h("legend", { className: "unseen" }, "What counts"), rules),
      h("button", { type: "button", className: "quiet", onclick: share }, "Copy the link to this night")),
    h("section", { className: "next", "aria-label": "Watch together" }, h("h2", {}, "Watch together"), list)));
  await draw();
}

const rule = () => (parameter("rule") in RULES ? parameter("rule") : "average");

const share = () => (navigator.clipboard?.writeText(location.href) ?? Promise.reject()).then(
  () => toast("The link is copied. It shows the same night to everyone who opens it."),
  () => toast("The address of this page is the link: copy it from the address field."));

function row({ rank, movie, expected_rating: mean, members: opinions }, all) {
  const opinion = ({ expected_rating: rating, because }, at) => h("li", {}, h("b", {}, named(all[at])), ` ★\u00a0${rating.toFixed(1)}`,
    because && h("span", {}, `, because of ${titled(because)}`));
  return h("li", {}, ticket(movie, { stub: h("b", {}, rank), whose: null, more: h("ul", { className: "opinions" }, opinions.map(opinion)), aside: h("div", { className: "aside" }, expected(mean, "together")) }));
}

const addByNumber = (add, there) => dialog("Add by number or link", (close) => {
  const fault = h("p", { className: "fault", role: "alert" });
  const field = h("input", { id: "member", required: true, autocomplete: "off" });
  const submit = async (event) => {
    event.preventDefault();
    const user = Number(field.value.match(/(\d{1,9})\D*$/)?.[1]);
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
  return h("form", { onsubmit: submit }, h("label", { htmlFor: "member" }, "The person’s number, or their link to a night"), field, fault, h("button", { type: "submit" }, "Add"));
});

// A guest rates five movies here; nothing about them is stored.
const addGuest = (add) => dialog("Add a guest", (close) => {
  const given = new Map();
  const name = h("input", { id: "guest", required: true, maxLength: 20, autocomplete: "off" });
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
    add({ name: name.value.replace(/[|;]/g, " ").trim() || "Guest", ratings: [...given] });
  };
  count();
  return h("form", { onsubmit: submit }, h("label", { htmlFor: "guest" }, "Name"), name, left, list, done);
});
