// Histograms on wider bins. The feed's bins are whole steps of 1e-4, so that every edge here is exact.

function rebin(histogram, grid, factor) {
  const merged = new Map();
  for (const [bin, number] of histogram.counts) {
    const wide = Math.floor(bin / factor);
    merged.set(wide, (merged.get(wide) || 0) + number);
  }
  const width = grid.step_1e4 * factor;
  return [...merged.entries()]
    .sort((left, right) => left[0] - right[0])
    .map(([wide, number]) => ({
      low: grid.low_1e4 + wide * width,
      high: grid.low_1e4 + (wide + 1) * width,
      count: number,
    }));
}

// Every bin from `low` to `high`, empty ones too; scores outside are counted in `below` and `above`.
function spread(histogram, grid, factor, low, high) {
  const width = grid.step_1e4 * factor;
  const bins = [];
  for (let edge = low; edge < high; edge += width) bins.push({ low: edge, high: edge + width, count: 0, upTo: 0 });
  let below = histogram.underflow;
  let above = histogram.overflow;
  for (const bin of rebin(histogram, grid, factor)) {
    if (bin.low < low) below += bin.count;
    else if (bin.low >= high) above += bin.count;
    else bins[(bin.low - low) / width].count = bin.count;
  }
  let sum = below;
  for (const bin of bins) {
    sum += bin.count;
    bin.upTo = sum;
  }
  return { bins, below, above, total: histogram.count };
}

// The edges of the middle 99.8 % of the scores, so that one stray score does not flatten the rest.
function middle(histogram) {
  const skip = Math.floor(histogram.count / 1000);
  const edge = (bins) => {
    let sum = 0;
    for (const [bin, number] of bins) {
      sum += number;
      if (sum > skip) return bin;
    }
    return null;
  };
  return [edge(histogram.counts), edge([...histogram.counts].reverse())];
}

// One axis for all: the middle of every histogram and all marks, rounded outward to `round`.
function sharedDomain(histograms, marks, grid, round) {
  let low = Infinity;
  let high = -Infinity;
  for (const histogram of histograms) {
    const [first, last] = middle(histogram);
    if (first === null) continue;
    low = Math.min(low, grid.low_1e4 + first * grid.step_1e4);
    high = Math.max(high, grid.low_1e4 + (last + 1) * grid.step_1e4);
  }
  for (const mark of marks) {
    low = Math.min(low, mark);
    high = Math.max(high, mark);
  }
  const start = Math.max(grid.low_1e4, Math.floor((low - 1) / round) * round);
  const end = Math.min(grid.low_1e4 + grid.count * grid.step_1e4, Math.ceil((high + 1) / round) * round);
  return [start, end];
}

function niceStep(span, room) {
  const steps = [100, 200, 500, 1000, 2000, 5000];
  return steps.find((step) => span / step <= room) || 10000;
}
