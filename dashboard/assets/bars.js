// Stacked bars: the two ledgers, the tiers, and the small ones in the tiles.

const tierState = { measure: "samples" };
const TIER_MEASURES = {
  samples: ["Samples", count],
  samples_sharded: ["Sharded", count],
  duration_us: ["Hours", (value) => hoursText(value / 3.6e9)],
  media_bytes: ["Bytes", bytesText],
};

function stackedBar(parts, whole, words, format = count) {
  const bar = el("div", {
    class: "stack",
    role: "img",
    "aria-label": `${words}: ${parts.map((part) => `${part.label} ${format(part.value)}`).join(", ")}`,
  });
  for (const part of parts) {
    if (part.value <= 0) continue;
    const piece = el("i", { class: part.className });
    piece.style.width = `${(part.value / whole) * 100}%`;
    piece.addEventListener("pointermove", (event) => {
      const share = `${percent(part.value / whole)} of ${format(whole)}`;
      showTip([words, `${part.label}: ${format(part.value)}`, share], event.clientX, event.clientY);
    });
    piece.addEventListener("pointerleave", hideTip);
    bar.append(piece);
  }
  return bar;
}

function funnelFaults(ledger) {
  const records = ledger.records_read === ledger.records_expanded + ledger.records_merged + ledger.records_rejected;
  const samples = ledger.samples_planned === ledger.samples_kept + ledger.samples_rejected;
  return { records, samples: samples && ledger.samples_planned >= ledger.records_expanded };
}

function ledgerLine(words, good, bar, value) {
  const sign = el(
    "span",
    { class: good ? "good" : "bad", title: good ? "adds up" : "does not add up" },
    good ? "✓" : "✗",
  );
  return el(
    "div",
    { class: "ledger" },
    el("span", { class: "sub" }, words),
    bar,
    el("span", { class: "amount" }, value, " ", sign),
  );
}

function funnelRow(source) {
  const ledger = source.ledger;
  const good = funnelFaults(ledger);
  const read = [
    { label: "expanded", value: ledger.records_expanded, className: "kept" },
    { label: "merged", value: ledger.records_merged, className: "merged" },
    { label: "rejected", value: ledger.records_rejected, className: "rejected" },
  ];
  const planned = [
    { label: "kept", value: ledger.samples_kept, className: "kept" },
    { label: "rejected", value: ledger.samples_rejected, className: "rejected" },
  ];
  // A ledger that does not add up is drawn against the larger side, so that its bar never runs over.
  const whole = (parts, promised) =>
    Math.max(
      promised,
      parts.reduce((sum, part) => sum + part.value, 0),
      1,
    );
  const records = stackedBar(read, whole(read, ledger.records_read), `${source.name}, records`);
  const samples = stackedBar(planned, whole(planned, ledger.samples_planned), `${source.name}, samples`);
  return el(
    "div",
    { class: good.records && good.samples ? "bar-row" : "bar-row fault" },
    el("div", { class: "name" }, el("span", { title: source.name }, source.name)),
    el(
      "div",
      {},
      ledgerLine("records", good.records, records, `${shortCount(ledger.records_read)} read`),
      ledgerLine("samples", good.samples, samples, `${shortCount(ledger.samples_planned)} planned`),
    ),
  );
}

function drawFunnel() {
  byId("funnel-legend").append(
    swatch("kept", "expanded, kept"),
    swatch("merged", "merged"),
    swatch("rejected", "rejected"),
  );
  byId("funnel-bars").append(...STATISTICS.sources.map(funnelRow));
  drawTable(byId("funnel-table"), DATA.tables.funnel, {
    rowClass: (row) => (row[row.length - 1] === "adds up" ? null : "fault"),
    empty: "No source was read.",
  });
}

function tierRow(source) {
  const [, format] = TIER_MEASURES[tierState.measure];
  const parts = source.tiers.map((tier) => ({
    label: tierWord(tier.tier),
    value: tier[tierState.measure],
    className: tierClass(tier.tier),
  }));
  const whole = parts.reduce((sum, part) => sum + part.value, 0);
  return el(
    "div",
    { class: "bar-row" },
    el("div", { class: "name" }, el("span", { title: source.name }, source.name)),
    el(
      "div",
      { class: "ledger short" },
      stackedBar(parts, whole || 1, source.name, format),
      el("span", { class: "amount" }, format(whole)),
    ),
  );
}

function drawTierBars() {
  byId("tiers-bars").replaceChildren(...STATISTICS.sources.map(tierRow));
}

function tierPicker() {
  const options = Object.entries(TIER_MEASURES).map(([value, [words]]) => [value, words]);
  byId("tiers-controls").replaceChildren(
    segmented("tier-measure", "Measure", options, tierState.measure, (value) => {
      tierState.measure = value;
      drawTierBars();
      noteView("tiers", wordsText([value]));
    }),
  );
}

function tiersFromAddress(text) {
  const [measure] = addressWords(text);
  if (!Object.hasOwn(TIER_MEASURES, measure)) return false;
  tierState.measure = measure;
  tierPicker();
  drawTierBars();
  return true;
}

function drawTiers() {
  byId("tiers-legend").append(...DATA.tiers.map((tier) => swatch(tierClass(tier), tierWord(tier))));
  tierPicker();
  drawTierBars();
  drawTable(byId("tiers-table"), DATA.tables.tiers, {
    heat: (column) => column.kind === "share",
    empty: "No sample has a tier yet.",
  });
}
