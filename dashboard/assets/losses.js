// One loss curve per stage, drawn by uPlot; a point is the mean loss of the steps since the point before.

const LOSS_PAPER_WIDTH = 400;
const losses = []; // { rows, plot, place, readout, at }

function lossReadout(chart, index) {
  const { rows } = chart;
  chart.at = index !== null && index in rows ? index : null;
  const at = chart.at === null ? rows.length - 1 : chart.at;
  const first = at > 0 ? rows[at - 1][0] + 1 : 1;
  const where = first < rows[at][0] ? `Steps ${count(first)} to ${count(rows[at][0])}` : `Step ${count(rows[at][0])}`;
  const which = chart.at === null ? `The last of ${plural(rows.length, "point")}. ` : "";
  chart.readout.replaceChildren(`${which}${where}: mean loss `, el("b", {}, lossText(rows[at][1])));
}

function lossOptions(chart, width) {
  const axis = chartAxis();
  const steps = { size: 32, label: "step", labelSize: 16, labelFont: axis.font };
  return {
    width,
    height: Math.min(280, Math.max(200, width * 0.45)),
    legend: { show: false },
    cursor: { drag: { x: true, y: false } },
    scales: {
      x: { time: false },
      // From zero, so that a small gain looks small.
      y: { range: (plot, low, high) => [Math.min(0, low * 1.05), Math.max(0, high * 1.05) || 1] },
    },
    axes: [
      { ...axis, ...steps, values: (plot, ticks) => ticks.map((tick) => (tick % 1 ? "" : shortCount(tick))) },
      { ...axis, size: 50, values: (plot, ticks) => ticks.map((tick) => String(Number(tick.toPrecision(3)))) },
    ],
    series: [
      {},
      {
        label: "mean loss",
        stroke: cssColour("--line-1"),
        width: 2,
        points: { show: chart.rows.length < 3 },
      },
    ],
    hooks: {
      setCursor: [(plot) => lossReadout(chart, plot.cursor.left < 0 ? null : plot.cursor.idx)],
    },
  };
}

function drawLoss(chart) {
  if (chart.plot) chart.plot.destroy();
  const columns = [0, 1].map((column) => chart.rows.map((row) => row[column]));
  chart.plot = new uPlot(lossOptions(chart, chartWidth(chart.place, LOSS_PAPER_WIDTH)), columns, chart.place);
  lossReadout(chart, null);
}

function moveLossCursor(chart, event) {
  const last = chart.rows.length - 1;
  const from = chart.at === null ? last : chart.at;
  const targets = {
    ArrowLeft: from - 1,
    ArrowRight: from + 1,
    PageUp: from - 10,
    PageDown: from + 10,
    Home: 0,
    End: last,
  };
  if (!(event.key in targets)) return;
  event.preventDefault();
  const [step, loss] = chart.rows[Math.max(0, Math.min(last, targets[event.key]))];
  chart.plot.setCursor({ left: chart.plot.valToPos(step, "x"), top: chart.plot.valToPos(loss, "y") });
}

function lossFigure({ title, table }) {
  const bar = el("div", { class: "table-bar" }, el("h3", {}, title), csvButton(table));
  if (table.rows.length === 0) {
    return el("div", { class: "loss" }, bar, el("p", { class: "empty" }, "No curve was kept."));
  }
  const place = el("div", {
    class: "chart",
    tabindex: 0,
    role: "group",
    "aria-label": `${title}, by step; arrow keys move from point to point`,
  });
  const readout = el("p", { class: "readout sub", "aria-live": "polite" });
  const chart = { rows: table.rows, plot: null, place, readout, at: null };
  place.addEventListener("keydown", (event) => moveLossCursor(chart, event));
  losses.push(chart);
  return el("div", { class: "loss" }, bar, place, readout);
}

function drawLosses() {
  losses.forEach(drawLoss);
}
