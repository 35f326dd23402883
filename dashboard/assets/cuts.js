// What cuts yield, in whole numbers. A source's rows are [bin, clips, duration_us, media_bytes, held_rule_clips,
// held_duplicate_clips]; the first three numbers are of clips that nothing holds back. Cuts lie on edges of bins.

const TIER_ORDER = ["clean", "noisy_high", "noisy_low", "video_only"];
const STRICTEST = 10000;

function binLow(bin, grid) {
  return Math.max(grid.low_1e4 + bin * grid.step_1e4, grid.low_1e4);
}

// The edge that a cut means: the lowest edge that is not below it keeps the same clips or fewer.
function onEdge(value, grid) {
  const bins = Math.ceil((value - grid.low_1e4) / grid.step_1e4);
  return grid.low_1e4 + Math.min(Math.max(bins, 0), grid.count) * grid.step_1e4;
}

// A stricter cut never lies below a looser one.
function ordered(cuts) {
  const low = Math.min(cuts.low, cuts.high);
  return { low, high: cuts.high, clean: cuts.clean === null ? null : Math.max(cuts.clean, low) };
}

function tierOf(bin, cuts, grid) {
  if (bin === null) return "video_only";
  const at = binLow(bin, grid);
  if (cuts.clean !== null && at >= cuts.clean) return "clean";
  if (at >= cuts.high) return "noisy_high";
  return at >= cuts.low ? "noisy_low" : "video_only";
}

function tierYields(rows, cuts, grid) {
  const found = Object.fromEntries(TIER_ORDER.map((tier) => [tier, { clips: 0, duration_us: 0, media_bytes: 0 }]));
  for (const [bin, clips, duration, bytes] of rows) {
    const own = found[tierOf(bin, cuts, grid)];
    own.clips += clips;
    own.duration_us += duration;
    own.media_bytes += bytes;
  }
  return found;
}

// The highest edge that at least `wanted` clips reach; the lowest one when there are fewer.
function highestCut(rows, wanted, grid) {
  const scored = rows.filter(([bin]) => bin !== null);
  if (wanted <= 0 || !scored.some(([, clips]) => clips > 0)) return STRICTEST;
  let reached = 0;
  for (const [bin, clips] of [...scored].sort((left, right) => right[0] - left[0])) {
    reached += clips;
    if (reached >= wanted) return binLow(bin, grid);
  }
  return grid.low_1e4;
}

function addYields(sums, yields) {
  for (const tier of TIER_ORDER)
    for (const [name, value] of Object.entries(yields[tier])) sums[tier][name] += value;
  return sums;
}

function emptyYields() {
  return tierYields([], { low: 0, high: 0, clean: null }, { low_1e4: 0, step_1e4: 1, count: 1 });
}

function cosineText(value) {
  return (value / 10000).toFixed(4).replace(/0$/, "");
}

// The clips that a share in percent asks for: in millionths, as judging counts them, so that 7 % of 100 are 7 and not 8.
function clipsOfShare(percent, whole) {
  return Math.ceil((Math.round(percent * 10000) * whole) / 1000000);
}

// A file for `clipstrata judge CORPUS.yaml --out RUN --cuts FILE`. Quoted, since YAML reads `no`, `1e3` or `~` otherwise.
function cutsFile(facts, cutsBySource) {
  const lines = [
    `corpus: ${JSON.stringify(facts.corpus)}`,
    `scoring: ${JSON.stringify(facts.scoring)}`,
    `aggregation: ${JSON.stringify(facts.aggregation)}`,
    "cuts:",
  ];
  for (const [name, cuts] of Object.entries(cutsBySource)) {
    const words = ["clean", "high", "low"]
      .filter((cut) => cuts[cut] !== null)
      .map((cut) => `${cut}: ${cosineText(cuts[cut])}`);
    lines.push(`  ${JSON.stringify(name)}: {${words.join(", ")}}`);
  }
  return `${lines.join("\n")}\n`;
}
