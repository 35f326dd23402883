// What every view uses: the data, elements made without markup, and numbers in words.

const DATA = JSON.parse(document.getElementById("data").textContent);
const STATISTICS = DATA.statistics;
const SVG_NAMESPACE = "http://www.w3.org/2000/svg";
const TIER_WORDS = { clean: "clean", noisy_high: "noisy, high", noisy_low: "noisy, low", video_only: "video only" };

function byId(id) {
  return document.getElementById(id);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children || []) {
    if (child !== null && child !== undefined) node.append(child); // a string becomes a text node
  }
  return node;
}

function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG_NAMESPACE, tag), attributes, children);
}

function cssColour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function chartAxis() {
  return {
    stroke: cssColour("--muted"),
    grid: { stroke: cssColour("--grid"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
}

// A canvas cannot follow the paper's width: it is drawn anew, at a width that fits.
function chartWidth(place, paperWidth) {
  return document.documentElement.hasAttribute("data-paper") ? paperWidth : Math.max(240, place.clientWidth);
}

const COUNT = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

function count(value) {
  return COUNT.format(value);
}

function shortCount(value) {
  return Math.abs(value) < 1000000 ? count(value) : SHORT.format(value);
}

function percent(share, digits = 1) {
  const least = 10 ** -(digits + 2);
  if (share > 0 && share < least) return `< ${(least * 100).toFixed(digits)} %`;
  return `${(share * 100).toFixed(digits)} %`;
}

function hoursText(hours) {
  if (hours >= 100) return `${count(Math.round(hours))} h`;
  if (hours >= 1) return `${hours.toFixed(1)} h`;
  if (hours >= 1 / 60) return `${(hours * 60).toFixed(1)} min`;
  return `${(hours * 3600).toFixed(0)} s`;
}

function bytesText(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]}`;
}

function score(value, digits = 3) {
  return value.toFixed(digits).replace("-", "\u2212");
}

function lossText(value) {
  return value.toPrecision(4).replace("-", "\u2212");
}

function tierWord(tier) {
  return TIER_WORDS[tier] || tier;
}

function tierClass(tier) {
  return tier in TIER_WORDS ? `tier-${tier}` : "tier-other";
}

function plural(number, word) {
  return `${count(number)} ${word}${number === 1 ? "" : "s"}`;
}

// One tooltip for all charts: lines of text beside the pointer, kept inside the window.
function showTip(lines, x, y) {
  const tip = byId("tip");
  tip.replaceChildren(...lines.map((line, index) => el("div", { class: index === 0 ? "tip-head" : null }, line)));
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = x + 14 + box.width > window.innerWidth ? x - box.width - 14 : x + 14;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${Math.max(4, Math.min(y + 14, window.innerHeight - box.height - 4))}px`;
}

function hideTip() {
  byId("tip").hidden = true;
}

function select(label, options, chosen, onChange) {
  const list = el(
    "select",
    {},
    ...options.map(([value, words]) => el("option", { value, selected: value === chosen }, words)),
  );
  list.addEventListener("change", () => onChange(list.value));
  return el("label", { class: "field" }, el("span", {}, label), list);
}

function segmented(name, label, options, chosen, onChange) {
  const group = el("fieldset", { class: "segments" }, el("legend", { class: "hidden" }, label));
  for (const [value, words] of options) {
    const input = el("input", { type: "radio", name, value, checked: value === chosen });
    input.addEventListener("change", () => onChange(value));
    group.append(el("label", {}, input, el("span", {}, words)));
  }
  return group;
}

function swatch(className, words) {
  return el("span", { class: "key" }, el("i", { class: `swatch ${className}` }), words);
}
