// Up to four sources over each other, drawn by uPlot from the same exact bins.

const MOST_LINES = 4;
const FACTOR = 10;
const PAPER_WIDTH = 900;
const DASHES = [[], [9, 4], [2, 3], [11, 3, 2, 3]];
const OVERLAY_VIEWS = { count: "Count", share: "Share", cumulative: "Cumulative" };
const overlay = {
  chosen: [],
  kind: DATA.best_text,
  aggregation: STATISTICS.scorer.aggregation,
  view: "share",
  log: false,
  plot: null,
  series: [],
  at: null,
};

function histogramOf(source) {
  return (
    source.histograms.find((item) => item.text_kind === overlay.kind && item.aggregation === overlay.aggregation) ||
    null
  );
}

function distinct(field, first) {
  const found = new Set(STATISTICS.sources.flatMap((source) => source.histograms.map((item) => item[field])));
  found.delete(first);
  return [first, ...[...found].sort()];
}

function lineColour(slot) {
  return cssColour(`--line-${slot + 1}`);
}

// A source keeps its colour while others come and go.
function toggleSource(name, on) {
  if (on) {
    const taken = new Set(overlay.chosen.map((item) => item.slot));
    const slot = [0, 1, 2, 3].find((number) => !taken.has(number));
    overlay.chosen.push({ name, slot });
  } else {
    overlay.chosen = overlay.chosen.filter((item) => item.name !== name);
  }
  drawOverlay();
  noteOverlay();
}

// One value per edge. Cumulative shares are exact at edges; a count holds from its edge to the next.
function overlayValues(view) {
  if (overlay.view === "cumulative")
    return [view.below, ...view.bins.map((bin) => bin.upTo)].map((sum) => sum / view.total);
  const values = view.bins.map((bin) => {
    const value = overlay.view === "count" ? bin.count : bin.count / view.total;
    return overlay.log && value === 0 ? null : value;
  });
  return [...values, values[values.length - 1]]; // so that the last step has its width
}

// The bin under the pointer, not the nearest edge.
function pointedBin(plot) {
  if (plot.cursor.left === undefined || plot.cursor.left < 0) return null;
  const { bins } = overlay.series[0].view;
  const at = Math.round(plot.posToVal(plot.cursor.left, "x") * 1e8) / 1e4;
  return Math.floor((at - bins[0].low) / (bins[0].high - bins[0].low));
}

function overlaySeries() {
  const byName = new Map(STATISTICS.sources.map((source) => [source.name, source]));
  const picked = overlay.chosen.map((item) => ({ ...item, histogram: histogramOf(byName.get(item.name)) }));
  const drawn = picked.filter((item) => item.histogram && item.histogram.count > 0);
  if (drawn.length === 0) return { domain: null, lines: [] };
  const domain = sharedDomain(
    drawn.map((item) => item.histogram),
    [],
    DATA.bins,
    100,
  );
  const lines = drawn.map((item) => ({
    ...item,
    view: spread(item.histogram, DATA.bins, FACTOR, domain[0], domain[1]),
  }));
  return { domain, lines };
}

function axisText(value) {
  if (value === null) return "";
  return overlay.view === "count" ? shortCount(value) : `${Number((value * 100).toPrecision(3))} %`;
}

function plotOptions(width, lines) {
  const axis = chartAxis();
  const paths = overlay.view === "cumulative" ? uPlot.paths.linear() : uPlot.paths.stepped({ align: 1 });
  const logged = overlay.log && overlay.view !== "cumulative";
  const range = overlay.view === "cumulative" ? [0, 1] : (plot, low, high) => [0, high * 1.05 || 1];
  return {
    width,
    height: Math.min(360, Math.max(240, width * 0.42)),
    legend: { show: false },
    cursor: { points: { show: false }, drag: { x: true, y: false } },
    scales: { x: { time: false }, y: logged ? { distr: 3 } : { range } },
    axes: [
      { ...axis, size: 32, values: (plot, ticks) => ticks.map((tick) => score(tick, 2)) },
      { ...axis, size: 62, values: (plot, ticks) => ticks.map(axisText) },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.name,
        stroke: lineColour(line.slot),
        width: 2,
        dash: DASHES[line.slot],
        paths,
        points: { show: false },
      })),
    ],
    hooks: { setCursor: [(plot) => readout(pointedBin(plot))] },
  };
}

function readoutRow(line, index) {
  const bin = index === null ? null : line.view.bins[index];
  const key = el("i", { class: `line line-${line.slot + 1}` });
  const cells = bin
    ? [count(bin.count), percent(bin.count / line.view.total, 2), percent(bin.upTo / line.view.total)]
    : [`${count(line.view.total)} in all`, "", ""];
  const few = fewWords(bin ? bin.count : line.view.total);
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, key, line.name),
    ...cells.map((text) => el("td", { class: "number" }, text)),
    el("td", { class: "few" }, ...few),
  );
}

function readout(index) {
  const place = byId("overlay-readout");
  const lines = overlay.series;
  if (lines.length === 0) return place.replaceChildren();
  const at = index === null || !(index in lines[0].view.bins) ? null : index;
  overlay.at = at;
  const bin = at === null ? null : lines[0].view.bins[at];
  const where = bin ? `${score(bin.low / 10000)} to ${score(bin.high / 10000)}` : "No bin chosen";
  const head = el(
    "tr",
    {},
    ...[where, "count", "share", "below its end", ""].map((text, column) =>
      el("th", { scope: "col", class: column ? "number" : "" }, text),
    ),
  );
  return place.replaceChildren(
    el("table", {}, el("thead", {}, head), el("tbody", {}, ...lines.map((line) => readoutRow(line, at)))),
  );
}

function drawChips() {
  const full = overlay.chosen.length >= MOST_LINES;
  for (const input of byId("overlay-sources").querySelectorAll("input")) {
    const item = overlay.chosen.find((chosen) => chosen.name === input.value);
    input.checked = Boolean(item);
    input.disabled = full && !item;
    input.nextElementSibling.className = item ? `line line-${item.slot + 1}` : "line";
  }
}

function drawOverlay() {
  drawChips();
  const place = byId("overlay");
  if (overlay.plot) overlay.plot.destroy();
  overlay.plot = null;
  const { domain, lines } = overlaySeries();
  overlay.series = lines;
  if (!domain) {
    place.replaceChildren(
      el(
        "p",
        { class: "empty" },
        overlay.chosen.length ? "No scores of this kind in the chosen sources." : "Choose a source above.",
      ),
    );
    return readout(null);
  }
  place.replaceChildren();
  const edges = [...lines[0].view.bins.map((bin) => bin.low / 10000), domain[1] / 10000];
  const columns = lines.map((line) => overlayValues(line.view));
  overlay.plot = new uPlot(plotOptions(chartWidth(place, PAPER_WIDTH), lines), [edges, ...columns], place);
  return readout(null);
}

function moveCursor(event) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
  if (!overlay.plot || !(event.key in steps)) return;
  event.preventDefault();
  const last = overlay.series[0].view.bins.length - 1;
  const next = overlay.at === null ? Math.floor(last / 2) : Math.max(0, Math.min(last, overlay.at + steps[event.key]));
  const { low, high } = overlay.series[0].view.bins[next];
  const left = overlay.plot.valToPos((low + high) / 20000, "x");
  overlay.plot.setCursor({ left, top: overlay.plot.over.clientHeight / 2 });
}

function overlayCsv() {
  const header = ["source", "text_kind", "aggregation", "from", "to", "count"];
  const rows = overlay.series.flatMap((line) =>
    line.histogram.counts.map(([bin, number]) => {
      const low = DATA.bins.low_1e4 + bin * DATA.bins.step_1e4;
      return [line.name, overlay.kind, overlay.aggregation, low / 10000, (low + DATA.bins.step_1e4) / 10000, number];
    }),
  );
  downloadCsv(fileName([STATISTICS.corpus, "histograms"]), header, rows);
}

function noteOverlay() {
  const names = overlay.chosen.map((item) => item.name);
  noteView("compare", wordsText([overlay.kind, overlay.aggregation, overlay.view, overlay.log ? "log" : "linear", ...names]));
}

function overlayFromAddress(text) {
  const [kind, aggregation, view, scale, ...names] = addressWords(text);
  const known = new Set(STATISTICS.sources.map((source) => source.name));
  if (!distinct("text_kind", DATA.best_text).includes(kind) || !Object.hasOwn(OVERLAY_VIEWS, view)) return false;
  if (!distinct("aggregation", STATISTICS.scorer.aggregation).includes(aggregation)) return false;
  const chosen = [...new Set(names)].filter((name) => known.has(name)).slice(0, MOST_LINES);
  Object.assign(overlay, { kind, aggregation, view, log: scale === "log" });
  overlay.chosen = chosen.map((name, slot) => ({ name, slot }));
  overlayPickers();
  drawOverlay();
  return true;
}

function overlayPickers() {
  const change = (field) => (value) => {
    overlay[field] = value;
    drawOverlay();
    noteOverlay();
  };
  const choice = (label, field, first, own) => {
    const names = distinct(field, first).map((name) => [name, name]);
    return select(label, names, overlay[own], change(own));
  };
  const log = el("input", { type: "checkbox", checked: overlay.log });
  log.addEventListener("change", () => change("log")(log.checked));
  const csv = el(
    "button",
    { type: "button", class: "download", title: "the exact bins of 0.001 of the chosen sources" },
    "Download CSV",
  );
  csv.addEventListener("click", overlayCsv);
  byId("overlay-controls").replaceChildren(
    choice("Text", "text_kind", DATA.best_text, "kind"),
    choice("Frames", "aggregation", STATISTICS.scorer.aggregation, "aggregation"),
    segmented("overlay-view", "Values", Object.entries(OVERLAY_VIEWS), overlay.view, change("view")),
    el("label", { class: "field check" }, log, el("span", {}, "log")),
    csv,
  );
}

function overlayControls() {
  overlayPickers();
  const chips = byId("overlay-sources");
  for (const source of STATISTICS.sources) {
    const input = el("input", { type: "checkbox", value: source.name });
    input.addEventListener("change", () => toggleSource(source.name, input.checked));
    chips.append(el("label", { class: "chip" }, input, el("i", { class: "line" }), source.name));
  }
  overlay.chosen = STATISTICS.sources
    .filter(bestHistogram)
    .slice(0, 3)
    .map((source, slot) => ({ name: source.name, slot }));
  byId("overlay").addEventListener("keydown", moveCursor);
}
