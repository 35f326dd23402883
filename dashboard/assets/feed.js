// The tables of the feed.

const dimensionShown = { kind: null };

function dimensionKinds() {
  return [...new Set(DATA.tables.dimensions.rows.map((row) => row[1]))];
}

function showDimension(kind) {
  const whole = DATA.tables.dimensions;
  dimensionShown.kind = kind;
  const rows = whole.rows.filter((row) => row[1] === kind);
  drawTable(byId("dimensions-table"), { ...whole, rows }, { csv: whole, heat: (column) => column.kind === "share" });
}

function dimensionPicker() {
  const options = dimensionKinds().map((kind) => [kind, kind.replaceAll("_", " ")]);
  byId("dimensions-controls").replaceChildren(
    segmented("dimension", "Dimension", options, dimensionShown.kind, (kind) => {
      showDimension(kind);
      noteView("dimensions", wordsText([kind]));
    }),
  );
}

function dimensionFromAddress(text) {
  const [kind] = addressWords(text);
  if (!dimensionKinds().includes(kind)) return false;
  showDimension(kind);
  dimensionPicker();
  return true;
}

function drawDimensions() {
  const kinds = dimensionKinds();
  if (kinds.length === 0) return;
  showDimension(kinds[0]);
  dimensionPicker();
}

// Rows that were not understood, and texts, are read anew by every build; replay works on clips.
function retryWords(row) {
  if (row.reason === "duplicate_row") return "nothing to mend: the same row stands there twice";
  if (row.stage === "read" || row.stage === "text")
    return "mend the row in its source's file, then: clipstrata build CORPUS.yaml --out RUN";
  return `clipstrata replay RUN --reason ${row.reason}`;
}

function drawRejectExamples() {
  const rows = DATA.feed.reject_examples.map((row) => [
    row.source,
    row.stage,
    row.reason,
    row.detail,
    retryWords(row),
  ]);
  const columns = ["source", "stage", "reason", "detail", "replay"].map((key) => ({
    key,
    label: key,
    kind: "text",
    group: "",
    hint: "",
  }));
  const table = { name: "reject_examples", title: "Examples of rejects, and how to try them again", columns, rows };
  drawTable(byId("reject-examples"), table, { empty: "None." });
}

function drawLabels() {
  if (DATA.tables.labels.rows.length) drawTable(byId("labels-table"), DATA.tables.labels);
}

function drawShards() {
  drawTable(byId("shards-table"), DATA.tables.shards, { empty: "No shard yet." });
  if (DATA.tables.shard_outliers.rows.length) drawTable(byId("shards-outliers"), DATA.tables.shard_outliers);
}

function drawFeed() {
  if (!DATA.feed) return;
  drawDimensions();
  drawShards();
  drawRejectExamples();
  drawLabels();
}
