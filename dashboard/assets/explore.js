// The threshold explorer: move the cuts of each source and see what they keep before anything is judged again.

const EXPLORE_HEIGHT = 64;
const EXPLORE_BIN = 100;
const CUT_NAMES = ["clean", "high", "low"];
const CUT_WORDS = { clean: "clean", high: "high", low: "low" };
const explore = { rows: new Map(), domain: [0, 0], stages: [0, 0], waiting: 0 };

function judgedCuts(source) {
  const edge = (value) => (value === null ? null : onEdge(value, DATA.bins));
  const clean = source.origin === "clean" ? edge(source.cuts.clean_1e4) : null;
  return ordered({ clean, high: edge(source.cuts.high_1e4), low: edge(source.cuts.low_1e4) });
}

function exploreDomain(sources) {
  let low = Infinity;
  let high = -Infinity;
  for (const source of sources) {
    for (const [bin] of DATA.feed.yields[source.name] || []) {
      if (bin === null) continue;
      low = Math.min(low, binLow(bin, DATA.bins));
      high = Math.max(high, binLow(bin, DATA.bins) + DATA.bins.step_1e4);
    }
  }
  if (low > high) return [0, 5000];
  return [Math.max(-10000, Math.floor(low / 100) * 100), Math.min(10000, Math.ceil(high / 100) * 100)];
}

function widerBins(rows, width) {
  const merged = new Map();
  for (const [bin, clips] of rows) {
    if (bin === null) continue;
    const low = Math.floor(binLow(bin, DATA.bins) / width) * width;
    merged.set(low, (merged.get(low) || 0) + clips);
  }
  return [...merged.entries()].sort((left, right) => left[0] - right[0]);
}

function explorePath(rows, x, height) {
  const bins = widerBins(rows, EXPLORE_BIN);
  const top = Math.max(1, ...bins.map(([, clips]) => clips));
  const parts = [];
  for (const [low, clips] of bins) {
    const y = Math.round((height - (clips / top) * (height - 6)) * 10) / 10;
    parts.push(`M${x(low)} ${height}V${y}H${x(low + EXPLORE_BIN)}V${height}Z`);
  }
  return parts.join("");
}

function readExploreBins(chart, name, rows) {
  const [low, high] = explore.domain;
  // Added up once somebody reads: fifty sources of 2,000 bins would delay the first view.
  let counted = null;
  const counts = () => ({
    free: new Map(widerBins(rows, EXPLORE_BIN)),
    held: new Map(widerBins(heldRows(rows), EXPLORE_BIN)),
  });
  const middle = Math.floor((high - low) / EXPLORE_BIN / 2);
  readBins(chart, chart, {
    bins: (high - low) / EXPLORE_BIN,
    start: () => middle,
    tell: (at) => {
      counted = counted || counts();
      const from = low + at * EXPLORE_BIN;
      const clips = counted.free.get(from) || 0;
      return [
        name,
        `${score(from / 10000)} to ${score((from + EXPLORE_BIN) / 10000)}`,
        `${plural(clips, "clip")} to cut among`,
        `${count(counted.held.get(from) || 0)} held by a rule or as duplicates`,
        ...fewWords(clips),
      ];
    },
  });
}

function heldRows(rows) {
  return rows.map(([bin, , , , byRule, twins]) => [bin, byRule + twins]);
}

function exploreChart(source, index) {
  const [low, high] = explore.domain;
  const width = 1000;
  const x = (value) => Math.round(((Math.min(Math.max(value, low), high) - low) / (high - low)) * width * 10) / 10;
  const rows = DATA.feed.yields[source.name] || [];
  const chart = svg("svg", {
    class: "explore-chart",
    viewBox: `0 0 ${width} ${EXPLORE_HEIGHT}`,
    preserveAspectRatio: "none",
    tabindex: 0,
    role: "img",
    "aria-label": `${source.name}: clips by score; arrow keys move from bin to bin`,
  });
  readExploreBins(chart, source.name, rows);
  const path = explorePath(rows, x, EXPLORE_HEIGHT);
  const zones = {};
  for (const tier of TIER_ORDER) {
    const id = `explore-${index}-${tier}`;
    zones[tier] = svg("rect", { x: 0, width: 0, y: 0, height: EXPLORE_HEIGHT });
    chart.append(svg("clipPath", { id }, zones[tier]));
    chart.append(svg("path", { class: `area ${tierClass(tier)}`, d: path, "clip-path": `url(#${id})` }));
  }
  const lines = {};
  for (const cut of CUT_NAMES) {
    lines[cut] = svg("line", { class: `cut cut-${cut}`, y1: 0, y2: EXPLORE_HEIGHT, "vector-effect": "non-scaling-stroke" });
    chart.append(lines[cut]);
  }
  return { chart, zones, lines, x };
}

function zoneEdges(cuts) {
  const strict = cuts.clean === null ? Infinity : cuts.clean;
  const upper = Math.min(cuts.high, strict);
  const lower = Math.min(cuts.low, upper);
  const [, top] = explore.domain;
  return {
    clean: [Math.min(strict, top + 1), top + 1],
    noisy_high: [upper, Math.min(strict, top + 1)],
    noisy_low: [lower, upper],
    video_only: [-Infinity, lower],
  };
}

function drawExploreRow(row) {
  const cuts = ordered(row.cuts);
  const { zones, lines, x } = row.parts;
  for (const [tier, [from, to]] of Object.entries(zoneEdges(cuts))) {
    const left = x(Math.max(from, explore.domain[0]));
    fill(zones[tier], { x: left, width: Math.max(0, x(Math.min(to, explore.domain[1])) - left) });
  }
  for (const cut of CUT_NAMES) {
    const value = cuts[cut];
    const shown = value !== null && value >= explore.domain[0] && value <= explore.domain[1];
    fill(lines[cut], { visibility: shown ? "visible" : "hidden", x1: x(value || 0), x2: x(value || 0) });
  }
  row.yields = tierYields(row.feed, cuts, DATA.bins);
  const parts = TIER_ORDER.map((tier) => ({
    label: tierWord(tier),
    value: row.yields[tier].clips,
    className: tierClass(tier),
  }));
  const whole = parts.reduce((sum, part) => sum + part.value, 0);
  const trusted = whole - row.yields.video_only.clips;
  const change = trusted - row.before;
  const sign = change > 0 ? "+" : change < 0 ? "\u2212" : "±";
  row.words.replaceChildren(
    el("b", {}, shortCount(trusted)),
    ` of ${shortCount(whole)} with a trusted text `,
    el("span", { class: change === 0 ? "sub" : "changed" }, `${sign}${shortCount(Math.abs(change))}`),
  );
  row.bar.replaceChildren(stackedBar(parts, whole || 1, row.source.name));
}

function epochsText(seen, clips) {
  if (clips === 0) return "no clip";
  const epochs = seen / clips;
  return epochs >= 100 ? count(Math.round(epochs)) : epochs.toPrecision(3);
}

function drawExploreTotals() {
  const sums = emptyYields();
  for (const row of explore.rows.values()) addYields(sums, row.yields);
  const whole = TIER_ORDER.reduce((sum, tier) => sum + sums[tier].clips, 0);
  const parts = TIER_ORDER.map((tier) => ({
    label: tierWord(tier),
    value: sums[tier].clips,
    className: tierClass(tier),
  }));
  const texts = whole - sums.video_only.clips;
  const cells = TIER_ORDER.map((tier) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, swatch(tierClass(tier), tierWord(tier))),
      el("td", { class: "number", "data-tier": tier }, count(sums[tier].clips)),
      el("td", { class: "number" }, hoursText(sums[tier].duration_us / 3.6e9)),
      el("td", { class: "number" }, bytesText(sums[tier].media_bytes)),
    ),
  );
  const head = el("tr", {}, ...["Tier", "Clips", "Hours", "Bytes"].map((words) => el("th", { scope: "col" }, words)));
  byId("explore-totals").replaceChildren(
    stackedBar(parts, whole || 1, "All sources"),
    el("table", {}, el("thead", {}, head), el("tbody", {}, ...cells)),
    el(
      "p",
      { class: "foot" },
      `Stage 1 reads ${count(texts)} clips with a trusted text: ${epochsText(explore.stages[0], texts)} epochs. `,
      `Stage 2 reads all ${count(whole)}: ${epochsText(explore.stages[1], whole)} epochs.`,
    ),
  );
}

function moveCut(row, cut, value) {
  applyCut(row, cut, value);
  noteCutsInAddress();
}

function applyCut(row, cut, value) {
  row.cuts = { ...row.cuts, [cut]: onEdge(value, DATA.bins) };
  for (const input of row.inputs.filter((item) => item.dataset.cut === cut)) {
    const shown = input.type === "range" ? row.cuts[cut] : (row.cuts[cut] / 10000).toFixed(3);
    if (document.activeElement !== input || input.type === "range") input.value = String(shown);
  }
  drawExploreRow(row);
  drawExploreTotals();
}

function cutInputs(row, cut) {
  const [low, high] = explore.domain;
  const name = `${row.source.name}: ${CUT_WORDS[cut]} cut`;
  const slider = el("input", {
    type: "range",
    min: low,
    max: high,
    step: DATA.bins.step_1e4,
    value: row.cuts[cut],
    "aria-label": name,
    "data-cut": cut,
    "data-source": row.source.name,
  });
  const box = el("input", {
    type: "number",
    min: -1,
    max: 1,
    step: 0.001,
    value: (row.cuts[cut] / 10000).toFixed(3),
    "aria-label": `${name}, as a number`,
    "data-cut": cut,
  });
  slider.addEventListener("input", () => moveCut(row, cut, Number(slider.value)));
  box.addEventListener("change", () => typedCut(row, cut, box));
  row.inputs.push(slider, box);
  return el("div", { class: "cut-line" }, el("span", { class: "sub" }, CUT_WORDS[cut]), slider, box);
}

function exploreRow(source, index) {
  const cuts = judgedCuts(source);
  const feed = DATA.feed.yields[source.name] || [];
  const now = tierYields(feed, cuts, DATA.bins);
  const before = TIER_ORDER.slice(0, 3).reduce((sum, tier) => sum + now[tier].clips, 0);
  const words = el("div", { class: "explore-words", "aria-live": "polite" });
  const row = { source, feed, cuts, before, inputs: [], words, bar: el("div", {}), parts: exploreChart(source, index) };
  const lines = CUT_NAMES.filter((cut) => cuts[cut] !== null).map((cut) => cutInputs(row, cut));
  const name = el("div", { class: "name" }, el("span", { title: source.name }, source.name));
  if (source.origin === "clean") name.append(el("span", { class: "badge badge-clean" }, "clean"));
  explore.rows.set(source.name, row);
  return el(
    "div",
    { class: "explore-row", "data-source": source.name },
    el("div", { class: "label" }, name, words, row.bar),
    el("div", { class: "explore-plot" }, row.parts.chart, ...lines),
  );
}

function currentCuts() {
  return Object.fromEntries([...explore.rows].map(([name, row]) => [name, ordered(row.cuts)]));
}

function exportCuts() {
  const facts = {
    corpus: STATISTICS.corpus,
    scoring: DATA.feed.scoring,
    aggregation: STATISTICS.scorer.aggregation,
  };
  return cutsFile(facts, currentCuts());
}

function downloadText(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

// The address names every cut that was moved, so that a link shows what its sender saw.
function noteCutsInAddress() {
  clearTimeout(explore.waiting);
  explore.waiting = setTimeout(() => {
    const moved = [...explore.rows.values()].filter((row) => {
      const [now, judged] = [ordered(row.cuts), judgedCuts(row.source)];
      return CUT_NAMES.some((cut) => now[cut] !== judged[cut]);
    });
    const words = moved.map((row) => {
      const now = ordered(row.cuts);
      return `${encodeURIComponent(row.source.name)}=${CUT_NAMES.map((cut) => (now[cut] === null ? "" : now[cut])).join(",")}`;
    });
    noteView("explore", words.join(";"));
  }, 300);
}

function cutsFromAddress(text) {
  for (const part of text.split(";")) {
    const [name, values] = part.split("=");
    const row = explore.rows.get(addressWord(name));
    if (!row || !values) continue;
    values.split(",").forEach((value, place) => {
      const cut = CUT_NAMES[place];
      if (value !== "" && Number.isFinite(Number(value)) && row.cuts[cut] !== null) applyCut(row, cut, Number(value));
    });
  }
  return true;
}

function resetCuts() {
  for (const row of explore.rows.values()) {
    const judged = judgedCuts(row.source);
    for (const cut of CUT_NAMES) if (judged[cut] !== null) moveCut(row, cut, judged[cut]);
  }
}

function keepShare(percent) {
  if (percent === null) return;
  for (const row of explore.rows.values()) {
    const whole = row.feed.reduce((sum, [, clips]) => sum + clips, 0);
    moveCut(row, "high", highestCut(row.feed, clipsOfShare(percent, whole), DATA.bins));
  }
}

// What stands in a number box; null for an empty or unreadable one, which asks for nothing.
function boxNumber(box, low, high) {
  if (box.value.trim() === "" || !Number.isFinite(Number(box.value))) return null;
  return Math.min(high, Math.max(low, Number(box.value)));
}

// An empty box goes back to the cut as it is.
function typedCut(row, cut, box) {
  const value = boxNumber(box, -1, 1);
  if (value !== null) moveCut(row, cut, Math.round(value * 10000));
  box.value = (row.cuts[cut] / 10000).toFixed(3);
}

function stageInput(stage) {
  const input = el("input", { type: "number", min: 1, step: 1, value: explore.stages[stage] });
  input.addEventListener("change", () => {
    explore.stages[stage] = Math.max(1, Math.round(Number(input.value)) || 1);
    drawExploreTotals();
  });
  return el("label", { class: "field" }, el("span", {}, `Clips that stage ${stage + 1} sees`), input);
}

function exploreCsv() {
  const header = ["source", "clean_cut", "high_cut", "low_cut", "tier", "clips", "hours", "bytes"];
  const rows = [...explore.rows].flatMap(([name, row]) => {
    const cuts = ordered(row.cuts);
    const cosines = CUT_NAMES.map((cut) => (cuts[cut] === null ? null : cuts[cut] / 10000));
    return TIER_ORDER.map((tier) => {
      const own = row.yields[tier];
      return [name, ...cosines, tier, own.clips, own.duration_us / 3.6e9, own.media_bytes];
    });
  });
  downloadCsv(fileName([STATISTICS.corpus, "yields"]), header, rows);
}

function exploreControls() {
  const button = (words, run) => {
    const found = el("button", { type: "button", class: "download" }, words);
    found.addEventListener("click", run);
    return found;
  };
  const share = el("input", { type: "number", min: 0, max: 100, step: 1, value: 50, "aria-label": "percent" });
  byId("explore-controls").append(
    stageInput(0),
    stageInput(1),
    el("label", { class: "field" }, el("span", {}, "High cut keeps, in %"), share),
    button("Set for all", () => keepShare(boxNumber(share, 0, 100))),
    button("As judged", resetCuts),
    button("Download cuts", () => downloadText(`${STATISTICS.corpus}-cuts.yaml`, exportCuts())),
    button("Download CSV", exploreCsv),
  );
}

function drawExplore() {
  if (!DATA.feed) return;
  explore.domain = exploreDomain(STATISTICS.sources);
  explore.stages = [...DATA.feed.stage_samples];
  exploreControls();
  byId("explore-rows").append(...STATISTICS.sources.map(exploreRow));
  for (const row of explore.rows.values()) drawExploreRow(row);
  drawExploreTotals();
  byId("explore-run").textContent =
    `clipstrata judge CORPUS.yaml --out RUN --cuts ${STATISTICS.corpus}-cuts.yaml   # then: shard, with the same --cuts`;
}
