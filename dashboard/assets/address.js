// The state of every view in the page's address, "#view/words&other/words" with the view that is looked at first: a link,
// and a reload, show what its sender saw.

const address = { noted: new Map(), first: "" };

// One that is cut off inside an escape names nothing.
function addressWord(word) {
  try {
    return decodeURIComponent(word);
  } catch {
    return "";
  }
}

function addressWords(text) {
  return text.split("/").map(addressWord);
}

function wordsText(words) {
  return words.map((word) => encodeURIComponent(word ?? "")).join("/");
}

function writeAddress() {
  const part = (view) => (address.noted.has(view) ? `${view}/${address.noted.get(view)}` : view);
  const others = [...address.noted.keys()].filter((view) => view !== address.first);
  history.replaceState(null, "", `#${[address.first, ...others].map(part).join("&")}`);
}

// An empty text forgets the view's state.
function noteView(view, text) {
  if (text) address.noted.set(view, text);
  else address.noted.delete(view);
  address.first = view;
  writeAddress();
}

// view -> shows what a text of the address says; returns whether it was understood.
function addressReaders() {
  const ofFeed = DATA.feed
    ? { explore: cutsFromAddress, examples: examplesFromAddress, dimensions: dimensionFromAddress, duplicates: groupsFromAddress }
    : {};
  return { sources: ridgeFromAddress, compare: overlayFromAddress, tiers: tiersFromAddress, ...ofFeed };
}

function followAddress() {
  const parts = location.hash.slice(1).split("&").filter(Boolean);
  const readers = addressReaders();
  for (const part of parts) {
    const view = part.split("/", 1)[0];
    const text = part.slice(view.length + 1);
    if (text && Object.hasOwn(readers, view) && readers[view](text)) address.noted.set(view, text);
  }
  const first = parts.length ? parts[0].split("/", 1)[0] : "";
  const section = byId(first);
  if (!section || section.tagName !== "SECTION") return;
  // A link of the page's own bar names its section alone: the other views keep their state in the address.
  address.first = first;
  writeAddress();
  section.scrollIntoView();
}
