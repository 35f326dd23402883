// This run against another one: mirrored histograms and quantiles against quantiles, per source, on exact bins.

const AGAINST_HEIGHT = 120;
const AGAINST_BIN = 100;

function sharesOf(histogram) {
  const merged = new Map();
  for (const [bin, number] of histogram.counts) {
    const low = Math.floor(binLow(bin, DATA.bins) / AGAINST_BIN) * AGAINST_BIN;
    merged.set(low, (merged.get(low) || 0) + number / histogram.count);
  }
  return merged;
}

function levelValue(histogram, level) {
  const wanted = Math.max(1, Math.ceil(level * histogram.count));
  let reached = histogram.underflow;
  for (const [bin, number] of histogram.counts) {
    reached += number;
    if (reached >= wanted) return binLow(bin, DATA.bins);
  }
  return 10000;
}

function mirrorChart(own, other, [low, high]) {
  const width = 560;
  const half = AGAINST_HEIGHT / 2;
  const [above, below] = [sharesOf(own), sharesOf(other)];
  const top = Math.max(1e-9, ...above.values(), ...below.values());
  const x = (value) => ((value - low) / (high - low)) * width;
  const bars = (shares, sign, className) => {
    const parts = [...shares].map(([at, share]) => {
      const y = half - sign * (share / top) * (half - 4);
      return `M${x(at)} ${half}V${y}H${x(at + AGAINST_BIN)}V${half}Z`;
    });
    return svg("path", { class: className, d: parts.join("") });
  };
  return svg(
    "svg",
    {
      class: "mirror",
      viewBox: `0 0 ${width} ${AGAINST_HEIGHT}`,
      preserveAspectRatio: "none",
      tabindex: 0,
      role: "img",
      "aria-label": "this run above, the other below; arrow keys move from bin to bin",
    },
    bars(above, 1, "mirror-own"),
    bars(below, -1, "mirror-other"),
    svg("line", { class: "base", x1: 0, x2: width, y1: half, y2: half }),
  );
}

function quantileChart(own, other, [low, high]) {
  const size = AGAINST_HEIGHT;
  const at = (value) => ((value - low) / (high - low)) * size;
  const points = [];
  for (let level = 1; level < 100; level += 1) {
    points.push(`${at(levelValue(other, level / 100))},${size - at(levelValue(own, level / 100))}`);
  }
  return svg(
    "svg",
    { class: "quantiles", viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": "quantiles of both runs" },
    svg("line", { class: "base", x1: 0, y1: size, x2: size, y2: 0 }),
    svg("polyline", { class: "quantile-line", points: points.join(" ") }),
  );
}

// What both runs count in the bins of the mirror, by pointer and by keys.
function readMirror(chart, name, own, other, [low, high]) {
  const bins = (high - low) / AGAINST_BIN;
  const view = (histogram) => spread(histogram, DATA.bins, AGAINST_BIN / DATA.bins.step_1e4, low, high).bins;
  const [now, then] = [view(own), view(other)];
  readBins(chart, chart, {
    bins,
    start: () => Math.max(0, now.findIndex((bin) => bin.upTo * 2 >= own.count)),
    tell: (at) => [
      name,
      `${score(now[at].low / 10000)} to ${score(now[at].high / 10000)}`,
      `now ${count(now[at].count)}, ${percent(now[at].count / own.count, 2)}`,
      `then ${count(then[at].count)}, ${percent(then[at].count / other.count, 2)}`,
      ...fewWords(Math.min(now[at].count, then[at].count)),
    ],
  });
}

function otherBest(source) {
  const wanted = STATISTICS.scorer.aggregation;
  const found =
    source && source.histograms.find((item) => item.text_kind === DATA.best_text && item.aggregation === wanted);
  return found && found.count > 0 ? found : null;
}

function loneWords(own, other) {
  if (own) return `only in this run: ${plural(own.count, "score")}`;
  return other ? `only in the other run: ${plural(other.count, "score")}` : "no scores in either run";
}

function againstRow(name, own, other) {
  const label = el("div", { class: "label" }, el("div", { class: "name" }, name));
  if (!own || !other) return el("div", { class: "against-row" }, label, el("p", { class: "empty" }, loneWords(own, other)));
  const domain = sharedDomain([own, other], [], DATA.bins, 500);
  const shift = (quantile(own, 0.5) - quantile(other, 0.5)) / 10000;
  label.append(
    el("div", { class: "sub" }, `${plural(own.count, "score")} now, ${count(other.count)} then`),
    el("div", { class: "sub" }, `median ${shift >= 0 ? "+" : ""}${score(shift)}`),
    el("div", { class: "few" }, ...fewWords(Math.min(own.count, other.count))),
  );
  const mirror = mirrorChart(own, other, domain);
  readMirror(mirror, name, own, other, domain);
  return el("div", { class: "against-row" }, label, mirror, quantileChart(own, other, domain));
}

// The sources of this run in its order, then those that only the other one has.
function againstPairs() {
  const others = new Map(DATA.feed.other.sources.map((source) => [source.name, source]));
  const own = STATISTICS.sources.map((source) => [source.name, bestHistogram(source), otherBest(others.get(source.name))]);
  const here = new Set(STATISTICS.sources.map((source) => source.name));
  const lost = DATA.feed.other.sources.filter((source) => !here.has(source.name));
  return [...own, ...lost.map((source) => [source.name, null, otherBest(source)])];
}

// The exact bins of both runs.
function againstCsv(pairs) {
  const rows = pairs.flatMap(([name, own, other]) => {
    const [now, then] = [own, other].map((histogram) => new Map(histogram ? histogram.counts : []));
    const bins = [...new Set([...now.keys(), ...then.keys()])].sort((left, right) => left - right);
    return bins.map((bin) => {
      const low = DATA.bins.low_1e4 + bin * DATA.bins.step_1e4;
      return [name, low / 10000, (low + DATA.bins.step_1e4) / 10000, now.get(bin) || 0, then.get(bin) || 0];
    });
  });
  downloadCsv(fileName([STATISTICS.corpus, "against"]), ["source", "from", "to", "now", "then"], rows);
}

function drawAgainst() {
  if (!DATA.feed || !DATA.feed.other) return;
  const other = DATA.feed.other;
  const same = ["digest", "frame_plan", "prompt", "top_k", "aggregation"].every(
    (name) => other.scorer[name] === STATISTICS.scorer[name],
  );
  const place = byId("against-rows");
  if (!same) {
    place.append(el("p", { class: "notice error" }, "The other run was scored by another model: scores do not compare."));
    return;
  }
  const pairs = againstPairs();
  place.append(...pairs.map((pair) => againstRow(...pair)));
  if (DATA.tables.drift) drawTable(byId("against-table"), DATA.tables.drift, {});
  const csv = el("button", { type: "button", class: "download", "aria-label": "Download CSV: Bins of both runs" }, "Download CSV");
  csv.addEventListener("click", () => againstCsv(pairs));
  byId("against-controls").append(csv);
}
