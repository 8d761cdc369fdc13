import { Feed } from "./feed.js";
import { bytes, clock, count, duration, rate } from "./format.js";
import { Plot } from "./plot.js";
import { Rates } from "./rates.js";
import { MOST_ROWS, Table } from "./table.js";

/** How many events the page shows. */
const MOST_EVENTS = 100;

const byId = (id) => document.getElementById(id);
const code = (text) => Object.assign(document.createElement("code"), { textContent: text });
const since = (row, now) => (row.since ? duration(now - Date.parse(row.since)) : "");

let now = 0;
const rates = new Rates();

const START_CLIENT = "cargo run -p client -- --actr-toml Actr.toml 10";

const tables = {
  "node.streams": new Table({
    id: "streams",
    title: "Streams",
    lingers: true,
    empty: ["No stream is open. Ask for one: ", code(START_CLIENT)],
    columns: [
      { label: "Stream", code: true, text: (row) => row.id },
      { label: "Peer", code: true, text: (row) => row.peer },
      { label: "Direction", text: (row) => (row.direction === "out" ? "sending" : "receiving") },
      { label: "Frames", number: true, progress: frames, text: (row) => count(row.frames) },
      { label: "Rate", number: true, text: (row) => (row.end ? "" : `${rate(row.rate ?? 0)} /s`) },
      { label: "Bytes", number: true, text: (row) => bytes(row.bytes) },
      { label: "Credit", number: true, text: (row) => (row.credit === null || row.credit === undefined ? "" : bytes(row.credit)) },
      { label: "State", text: streamState },
      { label: "Since", number: true, text: (row) => since(row, now) },
    ],
  }),
  "registry.nodes": new Table({
    id: "nodes",
    title: "Nodes of this registry",
    empty: ["No node is registered. Give one this registry's address as ", code("[system.signaling] url"), " in its Actr.toml, and start it."],
    columns: [
      { label: "Type", text: (row) => row.type },
      { label: "Id", code: true, text: (row) => row.id },
      { label: "Realm", number: true, text: (row) => String(row.realm) },
      { label: "State", text: (row) => row.state },
      { label: "Load", number: true, text: (row) => (row.load === null || row.load === undefined ? "" : `${Math.round(100 * row.load)} %`) },
      { label: "Address", code: true, text: (row) => row.address ?? "not to be dialled" },
      { label: "From", code: true, text: (row) => row.from ?? "" },
      { label: "Since", number: true, text: (row) => since(row, now) },
    ],
  }),
  "node.calls": new Table({
    id: "calls",
    title: "Calls",
    empty: ["No call is on its way."],
    columns: [
      { label: "Route", code: true, text: (row) => row.route },
      { label: "Peer", code: true, text: (row) => row.peer },
      { label: "Direction", text: (row) => (row.direction === "out" ? "waiting for the answer" : "answering") },
      { label: "Since", number: true, text: (row) => since(row, now) },
    ],
  }),
  "node.connections": new Table({
    id: "connections",
    title: "Connections",
    empty: ["No peer is connected."],
    columns: [
      { label: "Peer", code: true, text: (row) => row.peer },
      { label: "Dialled by", text: (row) => (row.direction === "out" ? "this node" : "the peer") },
      { label: "TLS", text: (row) => (row.tls ? "yes" : "no") },
      { label: "Since", number: true, text: (row) => since(row, now) },
    ],
  }),
};

/** What is plotted: of now, or as a rate of what is counted. */
const plots = [
  { of: "registry", label: "Nodes", format: count, value: ({ registry }) => registry.totals.nodes },
  { of: "node", label: "Streams", format: count, value: ({ node }) => node.totals.streams_in + node.totals.streams_out },
  { of: "node", label: "Frames a second", format: rate, rate: ({ node }) => node.totals.frames_in + node.totals.frames_out },
  { of: "node", label: "Payload a second", format: bytes, rate: ({ node }) => node.totals.bytes_in + node.totals.bytes_out },
  { of: "node", label: "Connections", format: count, value: ({ node }) => node.totals.connections_in + node.totals.connections_out },
  { of: "node", label: "Calls served a second", format: rate, rate: ({ node }) => node.totals.calls_served },
  { of: "registry", label: "Registrations a second", format: rate, rate: ({ registry }) => registry.totals.registered, without: "node" },
];

function frames(row) {
  const most = row.expected;
  if (most === null || most === undefined) return null;
  const has = row.done ?? row.frames;
  return { value: has, most, text: `${count(has)} of ${count(most)}` };
}

function streamState(row) {
  if (row.end) return row.end;
  const parts = [];
  if (row.waiting_since) parts.push(`waiting ${duration(now - Date.parse(row.waiting_since))}`);
  if (row.resumed) parts.push("resumed");
  return parts.join(", ") || "running";
}

function showStatus(status) {
  now = Date.parse(status.program.time);
  const { program, readiness, registry, node } = status;
  const name = node?.type ?? "Registry";
  document.title = `${name} · actr-lite`;
  byId("name").textContent = name;
  byId("identity").textContent = [node?.id, node?.address, registry && `registry at ${registry.address}`].filter(Boolean).join(" · ");
  const badge = byId("readiness");
  badge.textContent = node?.state === "draining" ? "shutting down" : readiness.ready ? "ready" : "not ready";
  badge.className = `badge ${readiness.ready ? "good" : "warn"}`;
  showNotice(readiness.ready ? [] : readiness.reasons);
  for (const [name, table] of Object.entries(tables)) {
    const [part, rows] = name.split(".");
    const shown = status[part]?.[rows];
    table.element.hidden = !shown;
    if (!shown) continue;
    const all = Object.fromEntries(Object.entries(shown.rows).map(([key, row]) => [key, { ...row }]));
    if (name === "node.streams") {
      for (const [key, row] of Object.entries(all)) row.rate = rates.of(`stream ${key}`, row.frames, now);
      rates.keep((key) => !key.startsWith("stream ") || key.slice(7) in all);
    }
    table.show(status.page, shown.count, all);
  }
  for (const plot of plots) {
    if (!status[plot.of] || (plot.without && status[plot.without])) continue;
    if (!plot.shown) {
      plot.shown = new Plot(plot.label, plot.format);
      byId("totals").append(plot.shown.element);
    }
    plot.shown.add(now, plot.value ? plot.value(status) : rates.of(plot.label, plot.rate(status), now));
  }
  showPager(status);
  byId("events-section").hidden = false;
  byId("events-section").querySelector(".empty").hidden = byId("events").childElementCount > 0;
  byId("footer").textContent = `actr-lite ${program.version}, running for ${duration(now - Date.parse(program.started))}`;
}

let lastPage = 1;

function showPager({ page, registry, node }) {
  const counts = [registry?.nodes, node?.streams, node?.calls, node?.connections].map((table) => table?.count ?? 0);
  lastPage = Math.max(1, Math.ceil(Math.max(...counts) / MOST_ROWS));
  byId("pager").hidden = lastPage === 1 && page === 1;
  byId("page-number").textContent = `Page ${page} of ${Math.max(page, lastPage)}`;
  byId("newer").disabled = page <= 1;
  byId("older").disabled = page >= lastPage;
}

/** Goes so many pages on, as far as there are pages: one who clicks twice may be faster than the answer. */
function turn(pages) {
  const page = Math.max(1, Math.min(feed.page + pages, lastPage));
  if (page !== feed.page) feed.turnTo(page);
}

function showNotice(lines) {
  const notice = byId("notice");
  const text = lines.join(" ");
  notice.hidden = text === "";
  if (notice.textContent !== text) notice.textContent = text;
}

function showEvent(event) {
  const row = document.createElement("li");
  const time = document.createElement("time");
  if (event.time) {
    time.dateTime = event.time;
    time.textContent = clock(event.time);
  }
  const kind = document.createElement("span");
  kind.textContent = event.kind.replaceAll("_", " ");
  if (/refused|expired|limit|missed/.test(event.kind)) kind.className = "warn";
  const detail = document.createElement("span");
  detail.className = "detail";
  const direction = { in: "received", out: "sent" }[event.direction];
  detail.textContent = [
    event.stream,
    event.node ?? event.peer ?? event.type,
    event.realm !== undefined && event.realm !== null && `realm ${event.realm}`,
    event.frames !== undefined && event.frames !== null && `${count(event.frames)} frames ${direction ?? ""}`.trim(),
    event.key,
    event.from && `from ${event.from}`,
    event.reason,
  ]
    .filter(Boolean)
    .join(" · ");
  row.append(time, kind, detail);
  const list = byId("events");
  list.prepend(row);
  while (list.childElementCount > MOST_EVENTS) list.lastElementChild.remove();
  if (event.kind === "stream_ended") {
    tables["node.streams"].end(
      (stream) => stream.id === event.stream && stream.peer === event.peer,
      ({ frames, done }) => {
        const more = (event.frames ?? frames) - frames;
        return { end: event.reason ?? "finished", frames: frames + more, done: done === undefined ? done : done + more };
      },
    );
  }
}

const LINKS = {
  live: ["live", "good", ""],
  polling: ["updated every few seconds", "warn", ""],
  lost: ["disconnected", "bad", "The program does not answer. The page shows the last it said, and tries again by itself; if the program was stopped, start it."],
  token: ["locked", "warn", ""],
};

function showLink(state) {
  const [text, kind, notice] = LINKS[state];
  const badge = byId("link");
  badge.textContent = text;
  badge.className = `badge ${kind}`;
  byId("token-form").hidden = state !== "token";
  if (state === "token") byId("token").focus();
  if (notice) showNotice([notice]);
}

const feed = new Feed({ onStatus: showStatus, onEvent: showEvent, onLink: showLink });
for (const table of Object.values(tables)) {
  table.element.hidden = true;
  byId("tables").append(table.element);
}
byId("newer").addEventListener("click", () => turn(-1));
byId("older").addEventListener("click", () => turn(1));
byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  feed.useToken(byId("token").value);
  byId("token").value = "";
});
feed.start();
