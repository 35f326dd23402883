// One row per source on one shared axis: exact bins, the cuts, a whisker of quantiles, and a hover that tells the bin.

const ridgeState = { factor: 10, height: "own", order: "config", domain: [0, 0] };
const RIDGE_CHOICES = [
  [
    "factor",
    "Bins",
    [
      ["5", "0.005"],
      ["10", "0.01"],
      ["25", "0.025"],
    ],
  ],
  [
    "height",
    "Height",
    [
      ["own", "each its own peak"],
      ["shared", "same scale for all"],
    ],
  ],
  [
    "order",
    "Order",
    [
      ["config", "as configured"],
      ["median", "by median"],
      ["scores", "by scores"],
    ],
  ],
];
const ROW_HEIGHT = 86;
const BASE = 64; // where the bins stand; the whisker lies below
const CUTS = [
  ["low_1e4", "cut-low", "low cut"],
  ["high_1e4", "cut-high", "high cut"],
  ["clean_1e4", "cut-clean", "clean cut"],
];

function bestHistogram(source) {
  const wanted = STATISTICS.scorer.aggregation;
  const found = source.histograms.find((item) => item.text_kind === DATA.best_text && item.aggregation === wanted);
  return found && found.count > 0 ? found : null;
}

function quantile(histogram, level) {
  const found = histogram.quantiles_1e4.find(([at]) => at === level);
  return found ? found[1] : null;
}

function ridgeOrder() {
  const rows = STATISTICS.sources.map((source) => ({ source, histogram: bestHistogram(source) }));
  const keys = {
    median: ({ histogram }) => (histogram ? quantile(histogram, 0.5) : -Infinity),
    scores: ({ histogram }) => (histogram ? histogram.count : -1),
  };
  const key = keys[ridgeState.order];
  return key ? rows.sort((left, right) => key(right) - key(left)) : rows;
}

function ridgeDomain(rows) {
  const marks = DATA.published.sources.map((item) => Math.round(item.mean_score * 10000));
  for (const { source, histogram } of rows) {
    if (!histogram) continue;
    for (const [field] of cutsOf(source)) marks.push(source.cuts[field]);
  }
  return sharedDomain(rows.map((row) => row.histogram).filter(Boolean), marks, DATA.bins, 500);
}

function cutsOf(source) {
  return CUTS.filter(([field]) => source.cuts[field] !== null && (field !== "clean_1e4" || source.origin === "clean"));
}

// Zones between the cuts, named by the tier that a score there leads to.
function zones(source, [low, high]) {
  const { clean_1e4: clean, high_1e4: upper, low_1e4: lower } = source.cuts;
  const tierAt = (value) => {
    if (source.origin === "clean" && clean !== null && value >= clean) return "clean";
    if (value >= upper) return "noisy_high";
    return value >= lower ? "noisy_low" : "video_only";
  };
  const inside = cutsOf(source)
    .map(([field]) => source.cuts[field])
    .filter((cut) => cut > low && cut < high);
  const edges = [low, ...inside.sort((a, b) => a - b), high];
  return edges.slice(0, -1).map((edge, index) => ({ from: edge, to: edges[index + 1], tier: tierAt(edge) }));
}

function areaPath(bins, x, y) {
  const parts = [`M${x(bins[0].low)} ${BASE}`];
  for (const bin of bins) parts.push(`V${y(bin.count)}H${x(bin.high)}`);
  return `${parts.join("")}V${BASE}Z`;
}

function gridLines(domain, x, width, height) {
  const step = niceStep(domain[1] - domain[0], Math.max(3, width / 70));
  const lines = [];
  for (let at = Math.ceil(domain[0] / step) * step; at <= domain[1]; at += step) {
    lines.push({ at, line: svg("line", { class: "grid", x1: x(at), x2: x(at), y1: 0, y2: height }) });
  }
  return lines;
}

function whisker(histogram, x) {
  const [low, middleAt, high] = [0.05, 0.5, 0.95].map((level) => x(quantile(histogram, level)));
  const y = BASE + 11;
  return svg(
    "g",
    { class: "whisker" },
    svg("line", { x1: low, x2: high, y1: y, y2: y }),
    svg("line", { x1: low, x2: low, y1: y - 4, y2: y + 4 }),
    svg("line", { x1: high, x2: high, y1: y - 4, y2: y + 4 }),
    svg("circle", { cx: middleAt, cy: y, r: 4 }),
  );
}

function strays(view, width) {
  const group = svg("g", { class: "stray" });
  if (view.below) group.append(svg("text", { x: 2, y: BASE - 5 }, `‹ ${shortCount(view.below)} below`));
  if (view.above)
    group.append(svg("text", { x: width - 2, y: BASE - 5, "text-anchor": "end" }, `${shortCount(view.above)} above ›`));
  return group;
}

function ridgeChart(row, index, width, peak) {
  const [low, high] = ridgeState.domain;
  const x = (value) => Math.round(((value - low) / (high - low)) * width * 100) / 100;
  const view = spread(row.histogram, DATA.bins, ridgeState.factor, low, high);
  const top = Math.max(1, ...view.bins.map((bin) => bin.count));
  const scale = ridgeState.height === "own" ? top : peak * view.total;
  const y = (value) => Math.round((BASE - (value / scale) * (BASE - 10)) * 100) / 100;
  const words = `${row.source.name}: ${plural(view.total, "score")}, median ${score(quantile(row.histogram, 0.5) / 10000)}`;
  const chart = svg("svg", {
    width,
    height: ROW_HEIGHT,
    viewBox: `0 0 ${width} ${ROW_HEIGHT}`,
    role: "img",
    "aria-label": words,
  });
  for (const { line } of gridLines(ridgeState.domain, x, width, ROW_HEIGHT)) chart.append(line);
  const path = areaPath(view.bins, x, y);
  zones(row.source, ridgeState.domain).forEach((zone, part) => {
    const id = `zone-${index}-${part}`;
    const box = { x: x(zone.from), width: x(zone.to) - x(zone.from), y: 0, height: ROW_HEIGHT };
    chart.append(svg("clipPath", { id }, svg("rect", box)));
    chart.append(svg("path", { class: `area ${tierClass(zone.tier)}`, d: path, "clip-path": `url(#${id})` }));
  });
  const lit = svg("rect", { class: "lit", y: 0, height: BASE, visibility: "hidden" });
  chart.append(lit, svg("line", { class: "base", x1: 0, x2: width, y1: BASE, y2: BASE }));
  for (const [field, className] of cutsOf(row.source)) {
    const at = x(row.source.cuts[field]);
    chart.append(svg("line", { class: `cut ${className}`, x1: at, x2: at, y1: 2, y2: BASE }));
  }
  chart.append(whisker(row.histogram, x), strays(view, width));
  return { chart, view, lit, x };
}

function binLines(name, bin, view) {
  return [
    name,
    `${score(bin.low / 10000)} to ${score(bin.high / 10000)}`,
    `${plural(bin.count, "score")}, ${percent(bin.count / view.total, 2)}`,
    `${percent(bin.upTo / view.total)} lie below ${score(bin.high / 10000)}`,
    ...fewWords(bin.count),
  ];
}

function listen(box, name, { chart, view, lit, x }) {
  readBins(box, chart, {
    bins: view.bins.length,
    start: () => view.bins.findIndex((bin) => bin.upTo * 2 >= view.total),
    tell: (at) => {
      const bin = view.bins[at];
      fill(lit, { x: x(bin.low), width: x(bin.high) - x(bin.low), visibility: "visible" });
      return binLines(name, bin, view);
    },
    leave: () => lit.setAttribute("visibility", "hidden"),
    open: (at) => openBin(name, view.bins[at].low),
  });
}

function ridgeLabel({ source, histogram }) {
  const name = el("div", { class: "name" }, el("span", { title: source.name }, source.name));
  if (source.origin === "clean") name.append(el("span", { class: "badge badge-clean" }, "clean"));
  const label = el("div", { class: "label" }, name);
  if (!histogram) return fill(label, {}, [el("div", { class: "sub" }, "no scores")]);
  const median = score(quantile(histogram, 0.5) / 10000);
  label.append(el("div", { class: "sub" }, `${plural(histogram.count, "score")} · median ${median}`));
  if (histogram.count < DATA.few_scores) {
    label.append(el("div", { class: "few" }, `⚠ fewer than ${DATA.few_scores} scores`));
  }
  return label;
}

function axisRow(width) {
  const [low, high] = ridgeState.domain;
  const x = (value) => ((value - low) / (high - low)) * width;
  const chart = svg("svg", { width, height: 22, viewBox: `0 0 ${width} 22`, "aria-hidden": "true" });
  for (const { at } of gridLines(ridgeState.domain, x, width, 0)) {
    const anchor = x(at) < 14 ? "start" : x(at) > width - 14 ? "end" : "middle";
    chart.append(svg("text", { class: "tick", x: x(at), y: 15, "text-anchor": anchor }, score(at / 10000, 2)));
  }
  const words = el("div", { class: "label sub" }, "score (cosine)");
  return el("div", { class: "ridge-row axis" }, words, el("div", { class: "plot" }, chart));
}

function publishedRow(width) {
  const [low, high] = ridgeState.domain;
  const x = (value) => ((value - low) / (high - low)) * width;
  const height = 54;
  const chart = svg("svg", {
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": "VideoPrism's published means",
  });
  for (const { line } of gridLines(ridgeState.domain, x, width, height)) chart.append(line);
  const stacked = new Map();
  for (const item of DATA.published.sources) {
    const level = stacked.get(item.mean_score) || 0;
    stacked.set(item.mean_score, level + 1);
    const cx = x(item.mean_score * 10000);
    const cy = 40 - level * 15;
    const mark = svg("path", { class: "published", d: `M${cx - 6} ${cy}l6 -6l6 6l-6 6z` });
    mark.addEventListener("pointermove", (event) => {
      const lines = [
        item.name,
        `published mean ${score(item.mean_score, 2)}`,
        `${item.captions}, quality ${item.quality}`,
        "another model: order only",
      ];
      showTip(lines, event.clientX, event.clientY);
    });
    mark.addEventListener("pointerleave", hideTip);
    chart.append(mark);
  }
  const words = el(
    "div",
    { class: "label" },
    el("div", { class: "name" }, "VideoPrism"),
    el("div", { class: "sub" }, "published means, another model"),
  );
  return el("div", { class: "ridge-row reference" }, words, el("div", { class: "plot" }, chart));
}

function sharedPeak(rows) {
  const shares = rows
    .filter((row) => row.histogram)
    .map(({ histogram }) =>
      Math.max(0, ...rebin(histogram, DATA.bins, ridgeState.factor).map((bin) => bin.count / histogram.count)),
    );
  return Math.max(1e-9, ...shares);
}

function drawRidge() {
  const place = byId("ridge");
  const rows = ridgeOrder();
  ridgeState.domain = ridgeDomain(rows);
  const probe = el("div", { class: "ridge-row" }, el("div", { class: "label" }), el("div", { class: "plot" }));
  place.replaceChildren(probe);
  const width = Math.max(200, Math.floor(probe.lastChild.getBoundingClientRect().width));
  const peak = sharedPeak(rows);
  const drawn = rows.map((row, index) => {
    const box = el(
      "div",
      {
        class: "ridge-row",
        role: "group",
        "aria-label": `${row.source.name}; arrow keys move from bin to bin`,
        tabindex: row.histogram ? 0 : null,
      },
      ridgeLabel(row),
    );
    if (!row.histogram) return fill(box, {}, [el("div", { class: "plot empty" }, "no scores to draw")]);
    const parts = ridgeChart(row, index, width, peak);
    box.append(el("div", { class: "plot" }, parts.chart));
    listen(box, row.source.name, parts);
    return box;
  });
  place.replaceChildren(...drawn, axisRow(width), publishedRow(width));
}

function ridgePickers() {
  const change = (field) => (value) => {
    ridgeState[field] = field === "factor" ? Number(value) : value;
    drawRidge();
    noteView("sources", wordsText(RIDGE_CHOICES.map(([own]) => ridgeState[own])));
  };
  byId("ridge-controls").replaceChildren(
    ...RIDGE_CHOICES.map(([field, label, options]) => select(label, options, String(ridgeState[field]), change(field))),
  );
}

function ridgeFromAddress(text) {
  const words = addressWords(text);
  const known = RIDGE_CHOICES.every(([, , options], place) => options.some(([value]) => value === words[place]));
  if (!known) return false;
  RIDGE_CHOICES.forEach(([field], place) => {
    ridgeState[field] = field === "factor" ? Number(words[place]) : words[place];
  });
  ridgePickers();
  drawRidge();
  return true;
}

function ridgeControls() {
  ridgePickers();
  byId("ridge-legend").append(
    ...DATA.tiers.map((tier) => swatch(tierClass(tier), tierWord(tier))),
    ...CUTS.map(([, className, words]) =>
      el("span", { class: "key" }, el("i", { class: `stroke ${className}` }), words),
    ),
    el("span", { class: "key" }, el("i", { class: "diamond" }), "VideoPrism's published mean"),
  );
  byId("ridge-foot").textContent =
    "VideoPrism's marks come from another model whose frames and averaging are not published: compare the order of sources, never the digits.";
}
