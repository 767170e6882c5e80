// The one way to the service: /api/v1 and /health, with the key where one is needed, patient while the service is away.

import { toast } from "./dom.js";
import { askForKey } from "./keys.js";
import { recall, remember } from "./memory.js";

const AWAY = [0, 429, 502, 503, 504]; // it will come back; 0: nobody answered
const LONGEST = 15000; // ms until a request counts as not answered

export class Problem extends Error {
  constructor(status, body, pause = 1) {
    super(body.detail || body.title || "The service cannot be reached.");
    this.status = status;
    this.pause = pause; // seconds until it may be tried again
  }
}

async function send({ method, path, body, signal }, key) {
  const headers = {};
  if (key) headers["X-API-Key"] = key;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const stop = AbortSignal.any([AbortSignal.timeout(LONGEST), ...(signal ? [signal] : [])]);
  let response;
  asked(+1);
  try {
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body), signal: stop, cache: "no-cache" });
    if (response.status === 204) return null;
    if (response.ok || path.includes("/health/")) return await response.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(response?.status ?? 0, {});
  } finally {
    asked(-1);
  }
  const pause = Number(response.headers.get("Retry-After")) || 1;
  throw new Problem(response.status, await response.json().catch(() => ({})), pause);
}

// While anything is under way the lamps of the header run.
let open = 0;
function asked(change) {
  open += change;
  document.documentElement.classList.toggle("busy", open > 0);
}

// A key is asked for where one would help, so not where a route is closed to all. It is kept once the service has taken
// it: a wrong one, tried for one request, does not push out a good one.
async function withKey(request) {
  let key = recall("key", null, "tab");
  for (;;) {
    try {
      const answer = await send(request, key);
      if (key) remember("key", key, "tab");
      return answer;
    } catch (error) {
      const wanted = error.status === 401 || (error.status === 403 && key && !/closed/.test(error.message));
      if (!wanted) throw error;
      const meanwhile = recall("key", null, "tab");
      if (meanwhile !== key && error.status === 401 && meanwhile) key = meanwhile;
      else key = await askForKey(error.status === 403 ? "admin" : key ? "wrong" : "missing");
      if (!key) throw error;
    }
  }
}

// Reading waits until the service is back, or until `signal` says that nobody wants the answer any more.
async function patiently(request) {
  for (;;) {
    try {
      const answer = await withKey(request);
      reached();
      return answer;
    } catch (error) {
      if (!AWAY.includes(error.status)) throw error;
      away(error.message);
      await wait(1000 * error.pause, request.signal);
    }
  }
}

const connection = () => document.getElementById("connection");
function away(message) {
  const text = `${message.replace(/ Try again.*$/, "")} Trying again …`;
  if (connection().textContent !== text) connection().textContent = text;
}
function reached() {
  if (!connection().textContent) return;
  connection().textContent = "";
  toast("The service is back.");
}

export const wait = (ms, signal) =>
  new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });

// Only the newest request counts: each call gives a signal, and drops what the one before was for.
export function newest(signal) {
  let running = null;
  return () => {
    running?.abort();
    running = new AbortController();
    return AbortSignal.any([signal, running.signal]);
  };
}

export const unlessDropped = (error) => {
  if (error.name !== "AbortError") toast(error.message);
};

const ROOT = new URL(".", document.baseURI).pathname; // "/", or the prefix that a proxy serves the page under
const V1 = `${ROOT}api/v1`;
export const get = (path, signal) => patiently({ method: "GET", path: V1 + path, signal });
export const ask = (path, body, signal) => patiently({ method: "POST", path: V1 + path, body, signal });
export const post = (path, body) => withKey({ method: "POST", path: V1 + path, body });
export const put = (path, body) => withKey({ method: "PUT", path: V1 + path, body });
export const remove = (path) => withKey({ method: "DELETE", path: V1 + path });
export const health = (signal) => patiently({ method: "GET", path: `${ROOT}health/ready`, signal });

export function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return given.length ? `?${new URLSearchParams(given)}` : "";
}
