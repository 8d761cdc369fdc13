/** How long a row that has gone stays to be seen. */
const LINGER_MS = 8000;

/**
 * A titled table whose rows have keys. `columns` are `{label, number, code, text(row), progress(row)}`; a column without a
 * value in any row is still there, so that nothing jumps.
 */
export class Table {
  constructor({ id, title, columns, empty, lingers }) {
    this.columns = columns;
    this.lingers = lingers ?? false;
    this.rows = new Map();
    this.element = document.createElement("section");
    this.element.id = id;
    this.element.setAttribute("aria-labelledby", `${id}-title`);
    const heading = document.createElement("h2");
    heading.id = `${id}-title`;
    heading.append(title, " ");
    this.count = document.createElement("span");
    this.count.className = "count";
    heading.append(this.count);
    this.empty = document.createElement("p");
    this.empty.className = "empty";
    this.empty.append(...empty);
    this.frame = document.createElement("div");
    this.frame.className = "frame";
    const table = document.createElement("table");
    // Narrow screens lay rows out as blocks, which would take the table's meaning from screen readers.
    table.setAttribute("role", "table");
    table.setAttribute("aria-labelledby", heading.id);
    const head = document.createElement("thead");
    const row = document.createElement("tr");
    for (const column of columns) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = column.label;
      if (column.number) cell.className = "number";
      row.append(cell);
    }
    head.append(row);
    this.body = document.createElement("tbody");
    table.append(head, this.body);
    this.frame.append(table);
    this.element.append(heading, this.empty, this.frame);
  }

  /** Shows these rows, newest first; `count` is how many there are on all pages. */
  show(count, rows) {
    const keys = Object.keys(rows).sort(newestFirst);
    for (const [key, row] of this.rows) {
      if (!(key in rows) && !row.gone) this.leave(key, row);
    }
    let before = this.body.firstChild;
    for (const key of keys) {
      let row = this.rows.get(key);
      if (!row) {
        row = this.make(key);
        this.body.insertBefore(row.element, before);
      }
      while (before && (before === row.element || before.classList.contains("ended"))) before = before.nextSibling;
      this.fill(row, rows[key]);
    }
    this.count.textContent = count > keys.length ? `${keys.length} of ${count.toLocaleString("en")}` : String(count);
    this.empty.hidden = this.rows.size > 0;
    this.frame.hidden = this.rows.size === 0;
  }

  make(key) {
    const element = document.createElement("tr");
    element.setAttribute("role", "row");
    element.className = "new";
    const cells = this.columns.map((column) => {
      const cell = document.createElement("td");
      cell.setAttribute("role", "cell");
      cell.dataset.label = column.label;
      cell.className = [column.number && "number", column.code && "code"].filter(Boolean).join(" ");
      element.append(cell);
      return cell;
    });
    const row = { element, cells, gone: false };
    this.rows.set(key, row);
    return row;
  }

  fill(row, values) {
    row.values = values;
    this.columns.forEach((column, at) => {
      const part = column.progress?.(values);
      if (part) showProgress(row.cells[at], part);
      else setText(row.cells[at], column.text(values));
    });
  }

  leave(key, row) {
    row.gone = true;
    if (!this.lingers) return this.remove(key, row);
    row.element.className = "ended";
    setTimeout(() => this.remove(key, row), LINGER_MS);
  }

  remove(key, row) {
    row.element.remove();
    if (this.rows.get(key) === row) this.rows.delete(key);
    this.empty.hidden = this.rows.size > 0;
    this.frame.hidden = this.rows.size === 0;
  }

  /** Lets the rows that pass the test say how they ended: `change(values)` is what is different then. */
  end(test, change) {
    for (const row of this.rows.values()) {
      if (test(row.values)) this.fill(row, { ...row.values, ...change(row.values) });
    }
  }
}

function setText(cell, text) {
  if (cell.textContent !== text) cell.textContent = text;
}

function showProgress(cell, { value, most, text }) {
  let box = cell.firstElementChild;
  if (!box) {
    box = document.createElement("div");
    box.className = "progress";
    box.append(document.createElement("span"), document.createElement("progress"));
    cell.replaceChildren(box);
  }
  setText(box.firstChild, text);
  box.lastChild.max = Math.max(1, most);
  box.lastChild.value = value;
  box.lastChild.setAttribute("aria-label", text);
}

/** Keys are numbers, longer than a double holds. */
function newestFirst(one, other) {
  return other.length - one.length || (one < other ? 1 : -1);
}
