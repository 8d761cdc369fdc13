const SPAN_MS = 5 * 60 * 1000;
const WIDTH = 300;
const HEIGHT = 40;
const SVG = "http://www.w3.org/2000/svg";

/** One figure over the last five minutes: its name, its value now, and a curve. */
export class Plot {
  constructor(label, format) {
    this.format = format;
    this.points = [];
    this.element = document.createElement("li");
    const name = document.createElement("div");
    name.className = "label";
    name.textContent = label;
    this.value = document.createElement("div");
    this.value.className = "value";
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    this.area = path(svg, "area");
    this.curve = path(svg, "curve");
    this.element.append(name, this.value, svg);
  }

  /** Adds a value at a time in milliseconds, and draws. */
  add(time, value) {
    this.points.push([time, value]);
    while (this.points[0][0] < time - SPAN_MS) this.points.shift();
    this.value.textContent = this.format(value);
    const highest = Math.max(1e-9, ...this.points.map(([, each]) => each));
    const x = (at) => (WIDTH * (1 - (time - at) / SPAN_MS)).toFixed(1);
    const y = (each) => (HEIGHT - 1 - (HEIGHT - 4) * (each / highest)).toFixed(1);
    const line = this.points.map(([at, each]) => `${x(at)} ${y(each)}`).join("L");
    this.curve.setAttribute("d", `M${line}`);
    this.area.setAttribute("d", `M${x(this.points[0][0])} ${HEIGHT}L${line}L${WIDTH} ${HEIGHT}Z`);
  }
}

function path(svg, kind) {
  const element = document.createElementNS(SVG, "path");
  element.setAttribute("class", kind);
  svg.append(element);
  return element;
}
