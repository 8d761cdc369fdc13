/** The longest event that is kept while it comes: a whole status is far shorter. */
const LONGEST_EVENT = 4 << 20;

/**
 * Reads server-sent events from a response, and calls `onEvent({type, data, id})` for each.
 *
 * `EventSource` would do, but can't show a token.
 */
export async function readEvents(response, onEvent) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value.replaceAll("\r", "");
    let end;
    while ((end = rest.indexOf("\n\n")) >= 0) {
      const event = parseEvent(rest.slice(0, end));
      rest = rest.slice(end + 2);
      if (event.data !== null) onEvent(event);
    }
    if (rest.length > LONGEST_EVENT) {
      await reader.cancel();
      throw new Error("an event has no end");
    }
  }
}

function parseEvent(text) {
  const event = { type: "message", data: null, id: null };
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon < 1) continue;
    const field = line.slice(0, colon);
    const value = line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") event.type = value;
    else if (field === "data") event.data = event.data === null ? value : `${event.data}\n${value}`;
    else if (field === "id") event.id = value;
  }
  return event;
}
