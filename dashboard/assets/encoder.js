// The training half of a run: what the frozen encoders can do beside chance, and how the stages were trained.

const evaluationState = { every: false };

function encoderTile(headline) {
  const values = headline.values.map(({ group, value, chance }) =>
    el(
      "div",
      {},
      el("div", { class: "tile-value" }, percent(value)),
      el("div", { class: "sub" }, `${group}; chance ${percent(chance)}`),
    ),
  );
  const label = el("div", { class: "tile-label" }, `Encoder: ${headline.encoder}`);
  return el("div", { class: "tile encoder" }, label, el("div", { class: "pair" }, ...values));
}

function withoutDetails(table) {
  const kept = table.columns.map((column, index) => (column.detail ? -1 : index)).filter((index) => index >= 0);
  const pick = (cells) => kept.map((index) => cells[index]);
  return { ...table, columns: pick(table.columns), rows: table.rows.map(pick) };
}

function drawEvaluation() {
  const { table, best } = DATA.encoder.evaluation;
  const shown = evaluationState.every ? table : withoutDetails(table);
  const chance = shown.rows[0];
  const decorate = (cell, row, index) => {
    const { key, kind } = shown.columns[index];
    if (kind !== "share" || row === chance) return;
    if (row[index] === null) return;
    cell.classList.add("versus");
    cell.style.setProperty("--chance", `${chance[index] * 100}%`);
    if (row[index] !== best[key]) return;
    cell.classList.add("best");
    cell.prepend(el("span", { class: "star", role: "img", "aria-label": "best encoder:" }, "★"), " ");
  };
  drawTable(byId("evaluation-table"), shown, {
    csv: table,
    decorate,
    heat: (column) => column.kind === "share",
    leading: 1,
    rowClass: (row) => (row === chance ? "chance-row" : null),
  });
}

function evaluationToggle() {
  const { table } = DATA.encoder.evaluation;
  if (!table.columns.some((column) => column.detail)) return;
  const button = el("button", { type: "button", class: "download", "aria-pressed": "false" }, "Every factor");
  button.addEventListener("click", () => {
    evaluationState.every = !evaluationState.every;
    button.setAttribute("aria-pressed", String(evaluationState.every));
    drawEvaluation();
  });
  byId("encoder-controls").append(button);
}

function settingText(value) {
  return Number.isInteger(value) ? count(value) : String(value);
}

function evaluationFacts() {
  const { suite, seed, settings, notes } = DATA.encoder.evaluation;
  const facts = [
    ["suite", suite],
    ["seed", String(seed)],
    ...settings.map(([name, value]) => [name.replaceAll("_", " "), settingText(value)]),
  ];
  const list = el("dl", { class: "settings" });
  list.append(...facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  const items = notes.map((note) => el("li", {}, note));
  if (items.length) byId("evaluation-facts").append(el("ul", { class: "notes" }, ...items));
  byId("evaluation-facts").append(list);
}

function encoderAbout(evaluation, training) {
  const words = [];
  if (evaluation)
    words.push(
      "What frozen encoders can do, beside what guessing gives: a line in each cell marks chance,",
      "★ the best encoder of its column.",
    );
  if (training) words.push("Point at a loss curve, or focus it and use the arrow keys, to read a point.");
  return words.join(" ");
}

function drawEncoder() {
  if (!DATA.encoder) return;
  const { evaluation, training } = DATA.encoder;
  byId("encoder-about").textContent = encoderAbout(evaluation, training);
  if (evaluation) {
    evaluationToggle();
    drawEvaluation();
    evaluationFacts();
  }
  if (!training) return;
  byId("losses").append(...training.losses.map(lossFigure));
  drawTable(byId("training-table"), training.table);
  drawTable(byId("training-samples"), training.samples, { empty: "No source is named." });
  drawTable(byId("training-left-out"), training.left_out, { empty: "Nothing was left out." });
}
