// Clips behind the numbers: a bin, a cut, a rule, a duplicate; they play where the page is served beside its run.

const EXAMPLES_SHOWN = 12;
const PLACE_WORDS = {
  bin: "in a score bin",
  under_low: "just under the low cut",
  over_low: "just over the low cut",
  under_high: "just under the high cut",
  over_high: "just over the high cut",
  under_clean: "just under the clean cut",
  over_clean: "just over the clean cut",
  duplicate: "duplicates that are left out",
  rule: "clips that break a rule",
  no_text: "without a text to trust",
};
const shown = { source: null, place: "bin", bin: null };

function examplesAt() {
  return DATA.feed.examples.filter(
    (item) =>
      item.source === shown.source && item.place === shown.place && (shown.place !== "bin" || item.bin === shown.bin),
  );
}

function binsOf(source) {
  const found = new Set();
  for (const item of DATA.feed.examples) if (item.source === source && item.place === "bin") found.add(item.bin);
  return [...found].sort((left, right) => left - right);
}

function placesOf(source) {
  const found = new Set(DATA.feed.examples.filter((item) => item.source === source).map((item) => item.place));
  return Object.keys(PLACE_WORDS).filter((place) => found.has(place));
}

function pictureOf(item) {
  return item.picture ? `data:image/jpeg;base64,${item.picture}` : null;
}

function player(item) {
  const picture = pictureOf(item);
  if (!DATA.served && picture) return el("img", { src: picture, alt: `frames of clip ${item.sample_id}` });
  if (!DATA.served) return el("div", { class: "no-media sub" }, "plays where `clipstrata dashboard RUN --serve` runs");
  return el("video", {
    poster: picture,
    controls: true,
    preload: "none",
    loop: true,
    muted: true,
    playsinline: true,
    src: `media/${item.media_sha256}.mp4`,
    "aria-label": `clip ${item.sample_id}`,
  });
}

function textLine([kind, text, value, chosen]) {
  const number = value === null ? "–" : score(value / 10000);
  return el(
    "li",
    { class: chosen ? "chosen" : null },
    el("span", { class: "badge" }, kind),
    el("b", {}, ` ${number} `),
    el("bdi", {}, text),
  );
}

function exampleCard(item) {
  const facts = [
    item.score_1e4 === null ? "no score" : score(item.score_1e4 / 10000),
    tierWord(item.tier),
    `${(item.duration_us / 1e6).toFixed(1)} s`,
  ];
  if (item.rule) facts.push(`breaks ${item.rule}`);
  const kept = item.duplicate_group && item.keeper !== item.sample_id ? `kept instead: ${item.keeper}` : null;
  return el(
    "article",
    { class: "example" },
    player(item),
    el("p", { class: "sub" }, facts.join(" · ")),
    el("ul", { class: "texts" }, ...item.texts.map(textLine)),
    kept ? el("p", { class: "sub" }, kept) : null,
    el("p", { class: "sub" }, el("code", {}, item.sample_id)),
    DATA.served ? labelButtons(item) : null,
  );
}

function fewWarning(found) {
  if (shown.place !== "bin") return `${plural(found.length, "example")}, chosen by id`;
  const low = shown.bin * 100;
  const rows = (DATA.feed.yields[shown.source] || []).filter(
    ([bin]) => bin !== null && binLow(bin, DATA.bins) >= low && binLow(bin, DATA.bins) < low + 100,
  );
  const n = rows.reduce((sum, [, clips, , , byRule, twins]) => sum + clips + byRule + twins, 0);
  const few = n < DATA.few_scores ? `; ⚠ fewer than ${DATA.few_scores}` : "";
  return `${plural(found.length, "example")} of ${plural(n, "sample")} in this bin, chosen by id${few}`;
}

function drawExampleCards() {
  const found = examplesAt();
  byId("examples-note").textContent = found.length ? fewWarning(found) : "No example here.";
  byId("examples-cards").replaceChildren(...found.slice(0, EXAMPLES_SHOWN).map(exampleCard));
}

// A row per text, of the samples that are shown.
function examplesCsv() {
  const header = ["source", "place", "bin", "sample_id", "media_sha256", "seconds", "tier", "score", "rule", "keeper"];
  const rows = examplesAt().flatMap((item) => {
    const cosine = (value) => (value === null ? null : value / 10000);
    const facts = [
      ...[item.source, item.place, item.bin === null ? null : item.bin / 100, item.sample_id, item.media_sha256],
      ...[item.duration_us / 1e6, item.tier, cosine(item.score_1e4), item.rule, item.keeper],
    ];
    const texts = item.texts.length ? item.texts : [[null, null, null, null]];
    return texts.map(([kind, text, value, chosen]) => [...facts, kind, text, cosine(value), chosen]);
  });
  downloadCsv(
    fileName([STATISTICS.corpus, "examples", shown.source, shown.place]),
    [...header, "text_kind", "text", "text_score", "chosen"],
    rows,
  );
}

function drawExamplePickers() {
  const places = placesOf(shown.source);
  if (!places.includes(shown.place)) shown.place = places[0] || "bin";
  const bins = binsOf(shown.source);
  if (!bins.includes(shown.bin)) shown.bin = bins[Math.floor(bins.length / 2)] ?? null;
  const change = (field, number) => (value) => showExamples({ ...shown, [field]: number ? Number(value) : value });
  const names = STATISTICS.sources.map((source) => [source.name, source.name]);
  const pickers = [
    select("Source", names, shown.source, change("source", false)),
    select(
      "Which",
      places.map((place) => [place, PLACE_WORDS[place]]),
      shown.place,
      change("place", false),
    ),
  ];
  if (shown.place === "bin") {
    const options = bins.map((bin) => [String(bin), `${score(bin / 100, 2)} to ${score((bin + 1) / 100, 2)}`]);
    pickers.push(select("Score", options, String(shown.bin), change("bin", true)));
  }
  const csv = el("button", { type: "button", class: "download", "aria-label": "Download CSV: Clips" }, "Download CSV");
  csv.addEventListener("click", examplesCsv);
  byId("examples-controls").replaceChildren(...pickers, csv);
}

function showExamples(wanted, note = true) {
  Object.assign(shown, wanted);
  drawExamplePickers();
  drawExampleCards();
  if (note) noteView("examples", wordsText([shown.source, shown.place, shown.bin]));
}

function drawExamples() {
  if (!DATA.feed || STATISTICS.sources.length === 0) return;
  if (DATA.served) takeToken();
  showExamples({ source: STATISTICS.sources[0].name }, false);
}

// A click on a bin of the ridgeline leads to its clips.
function openBin(source, value) {
  if (!DATA.feed) return;
  showExamples({ source, place: "bin", bin: Math.floor(value / 100) });
  byId("examples").scrollIntoView();
}

function examplesFromAddress(text) {
  const [source, place, bin] = addressWords(text);
  if (!STATISTICS.sources.some((item) => item.name === source)) return false;
  showExamples({ source, place: place || "bin", bin: bin ? Number(bin) : null }, false);
  return true;
}
