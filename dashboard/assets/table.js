// Tables: formatted cells, sorting by a click on the heading, and the same rows as CSV.

const FIRST_ROWS = 200;
const NUMERIC = new Set(["count", "share", "score", "score2", "decimal", "distance", "loss", "hours", "seconds", "bytes"]);

const FORMATS = {
  count,
  share: percent,
  score,
  score2: (value) => score(value, 2),
  decimal: (value) => value.toFixed(1),
  loss: lossText,
  distance: (value) => value.toFixed(4).replace("-", "\u2212"),
  hours: hoursText,
  seconds: (value) => (value < 100 ? `${value.toFixed(1)} s` : `${count(value)} s`),
  bytes: bytesText,
};

function mark(origin) {
  return el("span", { class: `badge ${origin === "clean" ? "badge-clean" : ""}` }, origin);
}

function checkCell(value) {
  const good = value === "adds up" || value === "as written";
  return el("span", { class: good ? "good" : "bad" }, `${good ? "✓" : "✗"} ${value}`);
}

function cellContent(column, value) {
  if (value === null) return el("span", { class: "none", "aria-label": "none" }, "–");
  if (column.kind === "mark") return mark(value);
  if (column.kind === "check") return checkCell(value);
  if (column.kind === "digest") return el("code", { title: value }, value.slice(0, 8));
  if (column.kind === "tier") return swatch(tierClass(value), tierWord(value));
  return column.kind in FORMATS ? FORMATS[column.kind](value) : String(value);
}

function heat(cell, value, largest, column) {
  if (column.kind === "share") cell.style.setProperty("--part", `${Math.round(value * 100)}%`);
  else cell.style.setProperty("--part", `${Math.round((value / largest) * 100)}%`);
  cell.classList.add("heat");
}

function bodyRow(table, row, options, largest) {
  const cells = table.columns.map((column, index) => {
    const tag = index === 0 ? "th" : "td";
    const zero = row[index] === 0 && column.kind === "count";
    const cell = el(tag, {
      scope: index === 0 ? "row" : null,
      class: [NUMERIC.has(column.kind) ? "number" : "words", zero ? "zero" : ""].join(" "),
    });
    cell.append(cellContent(column, row[index]));
    if (options.heat && options.heat(column) && row[index] > 0) heat(cell, row[index], largest, column);
    if (options.decorate) options.decorate(cell, row, index);
    return cell;
  });
  return el("tr", { class: options.rowClass ? options.rowClass(row) : null }, ...cells);
}

function groupRow(columns) {
  if (!columns.some((column) => column.group)) return null;
  const row = el("tr", { class: "groups" });
  for (let index = 0; index < columns.length;) {
    let span = 1;
    while (index + span < columns.length && columns[index + span].group === columns[index].group) span += 1;
    const group = columns[index].group;
    row.append(el(group ? "th" : "td", { colspan: span, scope: group ? "colgroup" : null }, group));
    index += span;
  }
  return row;
}

function compareCells(left, right) {
  if (left === right) return 0;
  if (left === null) return 1;
  if (right === null) return -1;
  if (typeof left === "number" && typeof right === "number") return left - right;
  return String(left) < String(right) ? -1 : 1;
}

// The first `leading` and the last `pinned` rows stay where they are.
function sortedRows(rows, sort, pinned, leading) {
  if (sort.column === null) return rows;
  const sign = sort.down ? -1 : 1;
  const free = rows.slice(leading, rows.length - pinned);
  const empty = (row) => row[sort.column] === null;
  free.sort((a, b) => (empty(a) || empty(b) ? 1 : sign) * compareCells(a[sort.column], b[sort.column]));
  return [...rows.slice(0, leading), ...free, ...rows.slice(rows.length - pinned)];
}

function headingCell(column, index, sort, onSort) {
  const button = el("button", { type: "button", title: column.hint || null }, column.label);
  button.addEventListener("click", () => onSort(index));
  const direction = sort.column === index ? (sort.down ? "descending" : "ascending") : null;
  const className = NUMERIC.has(column.kind) ? "number" : "words";
  return el("th", { scope: "col", class: className, "aria-sort": direction, "data-column": index }, button);
}

function largestOf(table, options) {
  let largest = 1;
  table.columns.forEach((column, index) => {
    if (!options.heat || !options.heat(column)) return;
    for (const row of table.rows) largest = Math.max(largest, row[index] || 0);
  });
  return largest;
}

function tableBox(table, options, redraw) {
  const state = options.state;
  const rows = sortedRows(table.rows, state.sort, options.pinned || 0, options.leading || 0);
  const shown = state.all ? rows : rows.slice(0, FIRST_ROWS);
  const largest = largestOf(table, options);
  const onSort = (index) => {
    const again = state.sort.column === index;
    const numeric = NUMERIC.has(table.columns[index].kind);
    state.sort = { column: index, down: again ? !state.sort.down : numeric };
    redraw(index);
  };
  const headings = el(
    "tr",
    {},
    ...table.columns.map((column, index) => headingCell(column, index, state.sort, onSort)),
  );
  const head = el("thead", {}, groupRow(table.columns), headings);
  const body = el("tbody", {}, ...shown.map((row) => bodyRow(table, row, options, largest)));
  const caption = el("caption", { class: "hidden" }, table.title);
  const box = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": table.title });
  box.append(el("table", { class: options.className || null }, caption, head, body));
  return { box, left: rows.length - shown.length };
}

function csvButton(table) {
  const button = el(
    "button",
    { type: "button", class: "download", "aria-label": `Download CSV: ${table.title}` },
    "Download CSV",
  );
  button.addEventListener("click", () => {
    const header = table.columns.map((column) => column.key);
    downloadCsv(fileName([STATISTICS.corpus, table.name]), header, table.rows);
  });
  return button;
}

function drawTable(place, table, options = {}) {
  options.state = options.state || { sort: { column: null, down: false }, all: false };
  const redraw = (focus) => {
    drawTable(place, table, options);
    place.querySelector(`th[data-column="${focus}"] button`).focus();
  };
  const bar = el("div", { class: "table-bar" }, el("h3", {}, table.title), csvButton(options.csv || table));
  if (table.rows.length === 0) {
    place.replaceChildren(bar, el("p", { class: "empty" }, options.empty || "Nothing to show."));
    return;
  }
  const { box, left } = tableBox(table, options, redraw);
  place.replaceChildren(bar, box);
  if (left > 0) {
    const more = el("button", { type: "button", class: "download" }, `Show ${count(left)} more rows`);
    more.addEventListener("click", () => {
      options.state.all = true;
      drawTable(place, table, options);
    });
    place.append(more);
  }
}
