import { readEvents } from "./event_stream.js";
import { mergePatch } from "./merge_patch.js";

/** How long to wait before the next try after a connection was lost: it doubles up to the second one. */
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 8000;

/** How often the status is asked for where events can't be had. */
const POLL_MS = 3000;

/** How many events are kept. */
const MOST_EVENTS = 100;

/** Where the token stays until the tab is closed. */
const TOKEN_KEY = "actr-lite-token";

/**
 * What the program says of itself, as it changes.
 *
 * `onStatus(status)` is called with each new status, `onEvent(event, isNew)` with each event, `onLink(state)` with how it is got:
 * "live", "polling", "lost", or "token" when the program wants one.
 */
export class Feed {
  constructor({ onStatus, onEvent, onLink }) {
    Object.assign(this, { onStatus, onEvent, onLink });
    this.page = 1;
    this.lastEvent = null;
    this.seen = new Set();
    this.round = 0;
    this.abort = new AbortController();
  }

  /** Starts, or starts over: with another page or token. */
  start() {
    this.round += 1;
    this.abort.abort();
    this.abort = new AbortController();
    this.run(this.round);
  }

  turnTo(page) {
    this.page = page;
    this.start();
  }

  useToken(token) {
    sessionStorage.setItem(TOKEN_KEY, token);
    this.start();
  }

  async run(round) {
    let wait = FIRST_RETRY_MS;
    while (round === this.round) {
      try {
        const response = await this.get("/api/v1/events", this.lastEvent);
        if (response.status === 401) return this.onLink("token");
        if (response.ok) {
          this.onLink("live");
          wait = FIRST_RETRY_MS;
          await readEvents(response, (event) => round === this.round && this.take(event));
          await pause(FIRST_RETRY_MS);
          continue;
        }
        if (await this.poll()) {
          this.onLink("polling");
          await pause(POLL_MS);
          continue;
        }
      } catch {
        // What went wrong the next try shows, or the link's state.
      }
      if (round !== this.round) return;
      this.onLink("lost");
      await pause(wait);
      wait = Math.min(2 * wait, LONGEST_RETRY_MS);
    }
  }

  /** Whether the status could be had. */
  async poll() {
    const response = await this.get("/api/v1/status", null);
    if (!response.ok) return false;
    this.whole(await response.json());
    return true;
  }

  get(path, lastEvent) {
    const headers = {};
    const token = sessionStorage.getItem(TOKEN_KEY);
    if (token) headers.Authorization = `Bearer ${token}`;
    if (lastEvent !== null) headers["Last-Event-ID"] = lastEvent;
    return fetch(`${path}?page=${this.page}`, { headers, cache: "no-store", signal: this.abort.signal });
  }

  take({ type, data, id }) {
    if (id !== null) this.lastEvent = id;
    const value = JSON.parse(data);
    if (type === "status") this.whole(value);
    else if (type === "patch") this.onStatus((this.status = mergePatch(this.status, value)));
    else if (type === "event") this.note(value, true);
    else if (type === "missed") this.onEvent({ kind: "missed", reason: `${value.events} events were lost to this page` }, true);
  }

  whole(status) {
    const restarted = this.status && this.status.program.started !== status.program.started;
    if (restarted) this.seen.clear();
    for (const event of status.events ?? []) this.note(event, false);
    this.onStatus((this.status = status));
  }

  /** The same event may come with a status and on its own. */
  note(event, isNew) {
    if (this.seen.has(event.id)) return;
    this.seen.add(event.id);
    if (this.seen.size > 2 * MOST_EVENTS) this.seen.delete(this.seen.values().next().value);
    this.onEvent(event, isNew);
  }
}

function pause(milliseconds) {
  return new Promise((resume) => setTimeout(resume, milliseconds));
}
