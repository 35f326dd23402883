// The largest groups, their members side by side, and why each is in its group.

const GROUP_WORDS = { duplicate: "duplicates", near: "nearly the same in meaning" };
const groupsShown = { kind: null };

function memberState(group, member) {
  if (group.kind === "near") return member.sharded ? "in the shards" : "not in the shards";
  if (member.keeper === member.sample_id) return member.sharded ? "★ kept" : "★ kept of the group, but not in the shards";
  return member.sharded ? "labelled, stays in the shards" : "left out";
}

// "no. 2" where the neighbour stands beside it, its whole id where it does not.
function neighbourWords(group, member) {
  const place = group.members.findIndex((other) => other.sample_id === member.joined.neighbour);
  return place < 0 ? `${member.joined.neighbour} (not shown)` : `no. ${place + 1} (${group.members[place].source})`;
}

function whyWords(group, member, place) {
  if (member.joined) {
    const { kind, similarity_1e4: similarity } = member.joined;
    return `${kind}, ${(similarity / 10000).toFixed(4)}, with ${neighbourWords(group, member)}`;
  }
  return place === 0 ? "the others are compared with it" : "joined through members that are not shown";
}

function memberCard(group, member, place) {
  const facts = [
    member.score_1e4 === null ? "no score" : score(member.score_1e4 / 10000),
    tierWord(member.tier),
    `${(member.duration_us / 1e6).toFixed(1)} s`,
  ];
  if (member.rule) facts.push(`breaks ${member.rule}`);
  return el(
    "article",
    { class: member.keeper === member.sample_id && group.kind === "duplicate" ? "example kept" : "example" },
    player(member),
    el("p", {}, el("b", {}, `${place + 1} · ${member.source}`), ` · ${memberState(group, member)}`),
    el("p", { class: "sub" }, facts.join(" · ")),
    el("p", { class: "sub why" }, whyWords(group, member, place)),
    el("ul", { class: "texts" }, ...member.texts.map(textLine)),
    el("p", { class: "sub" }, el("code", {}, member.sample_id)),
  );
}

function groupBox(group) {
  const sources = group.sources.map(([name, samples]) => `${name} ${count(samples)}`).join(", ");
  const shown = group.members.length < group.size ? `; ${group.members.length} of them here` : "";
  return el(
    "article",
    { class: "group", id: `group-${group.group}` },
    el("p", { class: "group-head" }, el("b", {}, plural(group.size, "sample")), `${sources}${shown}`, el("a", { href: `#duplicates/${wordsText([group.kind, group.group])}` }, group.group)),
    el("div", { class: "examples" }, ...group.members.map((member, place) => memberCard(group, member, place))),
  );
}

function groupsCsv(groups) {
  const header = ["kind", "group", "size", "place", "source", "sample_id", "score", "tier", "keeper", "in_shards"];
  const rows = groups.flatMap((group) =>
    group.members.map((member, place) => [
      ...[group.kind, group.group, group.size, place + 1, member.source, member.sample_id],
      ...[member.score_1e4 === null ? null : member.score_1e4 / 10000, member.tier, member.keeper, member.sharded ? 1 : 0],
      ...(member.joined ? [member.joined.kind, member.joined.similarity_1e4 / 10000, member.joined.neighbour] : ["", "", ""]),
      member.texts.length ? member.texts[0][1] : "",
    ]),
  );
  downloadCsv(fileName([STATISTICS.corpus, "groups"]), [...header, "because_of", "similarity", "neighbour", "text"], rows);
}

function showGroups(kind) {
  groupsShown.kind = kind;
  const own = DATA.feed.groups.filter((group) => group.kind === kind);
  byId("groups-list").replaceChildren(...own.map(groupBox));
}

function groupKinds() {
  return Object.keys(GROUP_WORDS).filter((kind) => DATA.feed.groups.some((group) => group.kind === kind));
}

function groupPicker() {
  const options = groupKinds().map((kind) => [kind, GROUP_WORDS[kind]]);
  byId("groups-controls").replaceChildren(
    segmented("groups-kind", "Which groups", options, groupsShown.kind, (kind) => {
      showGroups(kind);
      noteView("duplicates", wordsText([kind]));
    }),
  );
}

function groupsFromAddress(text) {
  const [kind, name] = addressWords(text);
  if (!groupKinds().includes(kind)) return false;
  showGroups(kind);
  groupPicker();
  const box = name ? byId(`group-${name}`) : null;
  if (box) requestAnimationFrame(() => box.scrollIntoView());
  return true;
}

function drawGroups() {
  if (!DATA.feed || DATA.feed.groups.length === 0) return;
  const csv = el("button", { type: "button", class: "download", "aria-label": "Download CSV: Largest groups" }, "Download CSV");
  csv.addEventListener("click", () => groupsCsv(DATA.feed.groups));
  byId("groups").replaceChildren(
    el("div", { class: "table-bar" }, el("h3", {}, "The largest groups, side by side"), csv),
    el("div", { class: "controls", id: "groups-controls" }),
    el("div", { id: "groups-list" }),
  );
  showGroups(groupKinds()[0]);
  groupPicker();
}
