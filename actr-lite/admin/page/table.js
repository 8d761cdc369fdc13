/** How many rows a page of a table has; the program gives no more. */
export const MOST_ROWS = 100;

/** How long a row that has ended stays to be seen, if there is room for it. */
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
    this.elsewhere = document.createElement("p");
    this.elsewhere.className = "empty";
    this.elsewhere.textContent = "They are on other pages.";
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
    this.element.append(heading, this.empty, this.elsewhere, this.frame);
    this.page = 1;
    this.total = 0;
  }

  /** Shows these rows of a page, newest first; `count` is how many there are on all pages. */
  show(page, count, rows) {
    const keys = Object.keys(rows).sort(newestFirst);
    const hasTurned = page !== this.page;
    this.page = page;
    this.total = count;
    for (const [key, row] of this.rows) {
      if (hasTurned) this.remove(key, row);
      else if (!(key in rows) && !row.gone) this.leave(key, row, this.hasEnded(key, keys));
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
    for (const [key, row] of this.rows) {
      if (this.rows.size <= MOST_ROWS) break;
      if (row.gone) this.remove(key, row);
    }
    this.count.textContent = count > keys.length ? `${keys.length} of ${count.toLocaleString("en")}` : String(count);
    this.showEmpty();
  }

  /** Whether a row that is not among the keys of this page is on no other page either. */
  hasEnded(key, keys) {
    if (keys.length === 0) return this.total === 0;
    const isNewer = this.page > 1 && newestFirst(key, keys[0]) < 0;
    const hasOlder = this.total > (this.page - 1) * MOST_ROWS + keys.length;
    const isOlder = hasOlder && newestFirst(key, keys[keys.length - 1]) > 0;
    return !isNewer && !isOlder;
  }

  showEmpty() {
    this.frame.hidden = this.rows.size === 0;
    this.empty.hidden = this.rows.size > 0 || this.total > 0;
    this.elsewhere.hidden = this.rows.size > 0 || this.total === 0;
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

  leave(key, row, hasEnded) {
    if (!this.lingers || !hasEnded) return this.remove(key, row);
    row.gone = true;
    row.element.className = "ended";
    setTimeout(() => this.remove(key, row), LINGER_MS);
  }

  remove(key, row) {
    row.element.remove();
    if (this.rows.get(key) === row) this.rows.delete(key);
    this.showEmpty();
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
