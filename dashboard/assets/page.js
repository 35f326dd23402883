// Puts the page together from its views.

function tile(label, value, note, extra) {
  return el(
    "div",
    { class: "tile" },
    el("div", { class: "tile-label" }, label),
    el("div", { class: "tile-value" }, value),
    note ? el("div", { class: "sub" }, note) : null,
    extra,
  );
}

function drawHeader() {
  const { facts, headline } = DATA;
  const version = facts.manifest_version === null ? "no manifest yet" : `manifest v${facts.manifest_version}`;
  byId("eyebrow").replaceChildren(el("span", {}, STATISTICS.corpus), el("span", { class: "pill" }, version));
  byId("lead").textContent = [
    plural(headline.samples, "sample"),
    hoursText(headline.hours),
    plural(headline.videos, "video"),
    `${plural(headline.sources, "source")} (${headline.clean_sources} clean)`,
    `${plural(facts.shards, "shard")}, ${bytesText(facts.shard_bytes)}`,
  ].join(" · ");
  const tiers = Object.entries(headline.tiers).map(([tier, value]) => ({
    label: tierWord(tier),
    value,
    className: tierClass(tier),
  }));
  const whole = tiers.reduce((sum, part) => sum + part.value, 0);
  const keys = el(
    "div",
    { class: "tile-keys" },
    ...tiers.map((part) =>
      el(
        "span",
        { class: "key" },
        el("i", { class: `swatch ${part.className}` }),
        `${part.label} `,
        el("b", {}, shortCount(part.value)),
      ),
    ),
  );
  const rejected = headline.records_read ? percent(headline.rejects / headline.records_read) : "0 %";
  byId("tiles").append(
    tile("Records read", shortCount(headline.records_read)),
    tile("Samples", shortCount(headline.samples), `${shortCount(headline.samples_sharded)} in shards`),
    tile(
      "Rejects",
      shortCount(headline.rejects),
      `${rejected} of records read; ${plural(headline.texts_dropped, "text")} dropped`,
    ),
    tile("Duplicates removed", shortCount(headline.duplicates_removed), plural(headline.duplicate_groups, "group")),
  );
  const wide = tile("Tiers", stackedBar(tiers, whole || 1, "All sources"), null, keys);
  wide.classList.add("wide");
  byId("tiles").append(wide);
  if (DATA.encoder && DATA.encoder.headline) byId("tiles").append(encoderTile(DATA.encoder.headline));
}

function drawNotices() {
  const place = byId("notices");
  const errors = DATA.notices.filter((notice) => notice.level === "error");
  const others = DATA.notices.filter((notice) => notice.level !== "error");
  const list = (notices) =>
    el("ul", {}, ...notices.map((notice) => el("li", {}, el("b", {}, notice.source), `: ${notice.text}`)));
  if (errors.length)
    place.append(
      el(
        "div",
        { class: "notice error", role: "alert" },
        el("b", {}, "A ledger does not add up: something was lost or counted twice."),
        list(errors),
      ),
    );
  if (others.length)
    place.append(
      el(
        "details",
        { class: "notice warning", open: others.length <= 5 },
        el("summary", {}, plural(others.length, "thing"), " to keep in mind"),
        list(others),
      ),
    );
}

function drawScores() {
  drawTable(byId("scores-table"), DATA.tables.scores, {
    heat: (column) => column.kind === "share",
    pinned: 1,
    rowClass: (row) => (row[1] === "published" ? "published-row" : null),
  });
  drawTable(byId("videoprism-table"), DATA.tables.videoprism);
}

function drawRejects() {
  const place = byId("rejects-table");
  drawTable(place, DATA.tables.rejects, {
    heat: (column) => column.kind === "count" && column.key !== "total",
    empty: "Nothing was rejected.",
  });
}

function drawDuplicates() {
  const found = STATISTICS.duplicates;
  const scope =
    { corpus: "looked for over the whole corpus", source: "looked for inside each source", off: "not looked for" }[
      found.scope
    ] || found.scope;
  const action =
    { keep_one: "one keeper stays in the shards", label: "groups are labelled, nothing leaves the shards" }[
      found.action
    ] || found.action;
  byId("duplicates-about").textContent =
    `Duplicates were ${scope}; ${action}. A group counts for a pair of sources when both have a sample in it.`;
  byId("duplicates-tiles").append(
    tile("Groups", count(found.groups)),
    tile("Samples in groups", count(found.samples_in_groups)),
    tile("Removed", count(found.samples_removed)),
    tile("In near groups", count(found.near)),
  );
  drawTable(byId("duplicates-table"), DATA.tables.duplicates, {
    heat: (column) => column.kind === "count",
    empty: "No duplicate group was found.",
  });
  drawTable(byId("duplicates-sizes"), DATA.tables.duplicate_sizes, {
    heat: (column) => column.key === "groups",
    empty: "No duplicate group was found.",
  });
  drawTable(byId("duplicates-kinds"), DATA.tables.duplicate_kinds, { empty: "Nothing was left out." });
  drawTable(byId("duplicates-thresholds"), DATA.tables.duplicate_thresholds, {
    empty: "No two contents resemble each other.",
  });
  if (DATA.tables.benchmarks.rows.length) drawTable(byId("duplicates-benchmarks"), DATA.tables.benchmarks, {});
  if (DATA.tables.planted) drawTable(byId("planted-table"), DATA.tables.planted, { empty: "Nothing was planted." });
}

/** The share of chosen texts that the scorer saw only the beginning of. */
function truncatedShare() {
  const best = STATISTICS.sources.flatMap((source) => source.histograms.filter((own) => own.text_kind === "best"));
  const scored = best.reduce((sum, own) => sum + own.count, 0);
  const cut = best.reduce((sum, own) => sum + own.truncated_texts, 0);
  return scored ? `${((100 * cut) / scored).toFixed(1)} % of ${count(scored)}` : "no text was scored";
}

function drawDefinition() {
  const { name, digest, frame_plan: plan, aggregation, prompt } = STATISTICS.scorer;
  const facts = [
    ["Model", name],
    ["Digest", digest],
    ["Frames", plan],
    ["Aggregation over frames", aggregation],
    ["Prompt", prompt || "none: the text as it is"],
    ["Best texts that were cut off", truncatedShare()],
  ];
  byId("definition-list").append(...facts.flatMap(([label, value]) => [el("dt", {}, label), el("dd", {}, value)]));
  byId("colophon").textContent =
    `Drawn from ${STATISTICS.schema_name}: exact counts in bins of 0.001. This file holds everything it shows and asks no host for anything.`;
}

function drawCanvases() {
  drawOverlay();
  drawLosses();
}

function redrawCharts() {
  drawRidge();
  drawCanvases();
}

function listenToWindow() {
  let width = document.documentElement.clientWidth;
  let waiting = 0;
  window.addEventListener("resize", () => {
    if (document.documentElement.clientWidth === width) return;
    width = document.documentElement.clientWidth;
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(redrawCharts);
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawCharts);
  window.addEventListener("scroll", hideTip, { passive: true });
  // Paper is light: the canvas must take the light colours before it is printed.
  const paper = (on) => () => {
    document.documentElement.toggleAttribute("data-paper", on);
    drawCanvases();
  };
  window.addEventListener("beforeprint", paper(true));
  window.addEventListener("afterprint", paper(false));
}

drawHeader();
drawNotices();
ridgeControls();
overlayControls();
drawScores();
drawFunnel();
drawTiers();
drawRejects();
drawDuplicates();
drawEncoder();
drawExplore();
drawExamples();
drawGroups();
drawFeed();
drawAgainst();
drawDefinition();
redrawCharts();
listenToWindow();
followAddress();
window.addEventListener("hashchange", followAddress);
document.documentElement.setAttribute("data-ready", "yes");
