/** How far back a rate looks. */
const SPAN_MS = 3000;

/** Rates of counters, from what they were a moment ago. */
export class Rates {
  constructor() {
    this.counters = new Map();
  }

  /** The rate a second of a counter that has this value at this time. */
  of(key, value, time) {
    let points = this.counters.get(key);
    if (!points || value < points[points.length - 1][1]) this.counters.set(key, (points = []));
    points.push([time, value]);
    while (points.length > 2 && points[1][0] <= time - SPAN_MS) points.shift();
    const [[from, first]] = points;
    return time > from ? (1000 * (value - first)) / (time - from) : 0;
  }

  /** Forgets the counters that are not wanted any more. */
  keep(test) {
    for (const key of this.counters.keys()) if (!test(key)) this.counters.delete(key);
  }
}
