// People's labels of clips; only in a page that a server stands behind.

const VERDICTS = [
  ["good", "good"],
  ["wrong_pair", "wrong pair"],
  ["unsure", "unsure"],
];
const given = new Map(DATA.feed.verdicts);

async function sendLabel(item, verdict, note) {
  const body = { sample_id: item.sample_id, source: item.source, score_1e4: item.score_1e4, verdict };
  const answer = await fetch("labels", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Clipstrata-Token": sessionStorage.getItem("clipstrata-token") || "" },
    body: JSON.stringify(body),
  });
  if (answer.ok) {
    given.set(item.sample_id, verdict);
    DATA.tables.labels = (await answer.json()).labels;
    drawLabels();
  }
  note.textContent = answer.ok ? "kept" : `not kept: ${answer.status}; open the page by the link that was printed`;
  return answer.ok;
}

function labelButtons(item) {
  if (item.score_1e4 === null) return null;
  const note = el("span", { class: "sub", role: "status" });
  const buttons = VERDICTS.map(([verdict, words]) => {
    const pressed = given.get(item.sample_id) === verdict;
    const button = el("button", { type: "button", class: "verdict", "aria-pressed": pressed ? "true" : "false" }, words);
    button.addEventListener("click", async () => {
      if (!(await sendLabel(item, verdict, note))) return;
      for (const other of buttons) other.setAttribute("aria-pressed", other === button ? "true" : "false");
    });
    return button;
  });
  return el("div", { class: "verdicts" }, ...buttons, note);
}

// The token of the link that was opened: out of the address, so that it is not passed on with it, and kept by this tab.
function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) {
    sessionStorage.setItem("clipstrata-token", token);
    history.replaceState(null, "", location.pathname);
  }
}
