// The only module that calls the service: /api/v1 and /health, with a key where one is needed, and retries while it is down.

import { toast } from "./dom.js";
import { requestKey } from "./keys.js";
import { recall, remember, tokenOf } from "./memory.js";
import { faultText } from "./words.js";

const RETRIED = [0, 429, 502, 503, 504]; // statuses that pass; 0: no answer
const TIMEOUT = 15000; // ms
const FILE_TIMEOUT = 120000; // ms, for a file to be read and matched

export class Problem extends Error {
  constructor(status, body, pause = 1) {
    super(faultText(status, body));
    this.status = status;
    this.detail = body.detail ?? "";
    this.closed = /closed/.test(body.detail); // no key would help
    this.pause = pause; // seconds to wait before another try
  }
}

async function send({ method, path, body, signal }, key) {
  const file = body instanceof Blob;
  const token = tokenOf(path.match(/\/users\/(\d+)/)?.[1] ?? recall("person", null)); // a group names its members in the body
  const headers = {};
  if (key || token) headers.Authorization = `Bearer ${key || token}`;
  if (body !== undefined) headers["Content-Type"] = file ? "application/octet-stream" : "application/json";
  const stop = AbortSignal.any([AbortSignal.timeout(file ? FILE_TIMEOUT : TIMEOUT), ...(signal ? [signal] : [])]);
  let response;
  countOpen(+1);
  try {
    response = await fetch(path, { method, headers, body: file ? body : body && JSON.stringify(body), signal: stop, cache: "no-cache" });
    if (response.status === 204) return null;
    if (response.ok && response.headers.get("Content-Type").startsWith("text/")) return await response.text();
    if (response.ok || path.includes("/health/")) return await response.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(response?.status ?? 0, {});
  } finally {
    countOpen(-1);
  }
  const pause = Number(response.headers.get("Retry-After")) || 1;
  throw new Problem(response.status, await response.json().catch(() => ({})), pause);
}

// The lamps of the header move while any request is open.
let open = 0;
function countOpen(change) {
  open += change;
  document.documentElement.classList.toggle("busy", open > 0);
}

// Asks for a key where one would help, so not where a route is closed to everyone. A key is kept only after the service
// has accepted it, so that a wrong one does not replace a good one.
async function withKey(request) {
  let key = recall("key", null, "tab");
  for (;;) {
    try {
      const answer = await send(request, key);
      if (key) remember("key", key, "tab");
      return answer;
    } catch (error) {
      const wanted = error.status === 401 || (error.status === 403 && key && !error.closed);
      if (!wanted) throw error;
      const meanwhile = recall("key", null, "tab");
      if (meanwhile !== key && error.status === 401 && meanwhile) key = meanwhile;
      else key = await requestKey(error.status === 401 && key, request.purpose);
      if (!key) throw error;
    }
  }
}

// Reads are retried until the service answers, or until `signal` aborts them.
async function withRetries(request) {
  for (;;) {
    try {
      const answer = await withKey(request);
      hideUnavailable();
      return answer;
    } catch (error) {
      if (!RETRIED.includes(error.status)) throw error;
      showUnavailable(error.message);
      await wait(1000 * error.pause, request.signal);
    }
  }
}

const connection = () => document.getElementById("connection");
function showUnavailable(message) {
  const text = `${message} Trying again …`;
  if (connection().textContent !== text) connection().textContent = text;
}
function hideUnavailable() {
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

// Each call returns a signal for a new request, and aborts the request of the call before.
export function latestOnly(signal) {
  let running = null;
  return () => {
    running?.abort();
    running = new AbortController();
    return AbortSignal.any([signal, running.signal]);
  };
}

export const toastUnlessAborted = (error) => {
  if (error.name !== "AbortError") toast(error.message);
};

const ROOT = new URL(".", document.baseURI).pathname; // "/", or the prefix that a proxy serves the page under
const V1 = `${ROOT}api/v1`;
export const get = (path, signal) => withRetries({ method: "GET", path: V1 + path, signal });
// Neither asks for a key nor tries again: for what a view can do without.
export const glance = (path, signal) => send({ method: "GET", path: V1 + path, signal }, recall("key", null, "tab"));
export const read = (path, body, signal) => withRetries({ method: "POST", path: V1 + path, body, signal });
export const post = (path, body) => withKey({ method: "POST", path: V1 + path, body });
// `purpose` says what an operator's key is for, as in "start a training run".
export const operate = (path, purpose, method = "POST") => withKey({ method, path: V1 + path, purpose });
export const put = (path, body) => withKey({ method: "PUT", path: V1 + path, body });
export const remove = (path) => withKey({ method: "DELETE", path: V1 + path });
export const health = (signal) => withRetries({ method: "GET", path: `${ROOT}health/ready`, signal });

export function query(values) {
  const each = Object.entries(values).flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
  const given = each.filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return given.length ? `?${new URLSearchParams(given)}` : "";
}
