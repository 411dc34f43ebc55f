"use strict";
const by = id => document.getElementById(id);
const grid = by("grid");
let state, shown = [];
const waiting = new Map(); // decisions that are not stored yet, by image, in the order in which they were made

// call asks the server; an error's text is shown until an answer comes and all decisions are stored.
async function call(path, body) {
  const saved = by("saved");
  try {
    const r = await fetch(path, body === undefined ? {} : { method: "POST", body: JSON.stringify(body), keepalive: true });
    if (!r.ok) throw new Error((await r.text()).trim());
    if (!waiting.size) saved.classList.remove("failed");
    return await r.json();
  } catch (e) {
    saved.classList.add("failed");
    saved.textContent = "not saved: " + (e.message || e) + " (is unpoison review still running?)";
    throw e;
  }
}

const decided = s => state.mine[s.index] || "";
const wanted = s => waiting.has(s.index) ? waiting.get(s.index) : decided(s);
const split = s => {
  const all = new Set((state.others[s.index] || []).map(o => o.decision));
  if (decided(s)) all.add(decided(s));
  return all.size > 1;
};
// plain shows what would turn the text after it: names are chosen by whoever sent the images.
const plain = text => text.replace(/[\u202a-\u202e\u2066-\u2069]/g, c => "\\u" + c.charCodeAt(0).toString(16));
const words = { drop: "drop", keep: "keep", "": "open" };

function tile(s) {
  const li = document.createElement("li");
  li.tabIndex = -1;
  li.dataset.index = s.index;
  const img = document.createElement("img");
  img.loading = "lazy";
  img.decoding = "async";
  img.src = "image/" + s.index + "?side=256";
  img.alt = "";
  img.addEventListener("load", () => img.classList.toggle("photo", Math.max(img.naturalWidth, img.naturalHeight) > 64));
  const text = document.createElement("span");
  text.textContent = plain(s.label) + (s.suspected ? (s.rated ? " " + Math.round(100 * s.probability) + "\u00a0%" : "") : s.doubtful ? ", stands out" : ", not suspected");
  const mark = document.createElement("span");
  mark.className = "state";
  const others = document.createElement("small");
  others.className = "others";
  li.append(img, mark, " ", text, others);
  paint(li, s);
  return li;
}

function paint(li, s) {
  const d = wanted(s), failed = waiting.has(s.index), word = words[d] + (failed ? ", not saved" : "");
  li.classList.toggle("failed", failed);
  li.classList.toggle("drop", d === "drop");
  li.classList.toggle("keep", d === "keep");
  li.querySelector(".state").textContent = word;
  li.querySelector(".others").textContent = (state.others[s.index] || []).map(o => o.reviewer + ": " + o.decision).join(", ");
  li.setAttribute("aria-label", "rank " + s.rank + ", " + plain(s.label) + ", " + word);
}

function tell() {
  const n = { drop: 0, keep: 0 };
  state.suspects.forEach(s => { if (decided(s)) n[decided(s)]++; });
  by("count").textContent = n.drop + " to drop, " + n.keep + " to keep, " + (state.suspects.length - n.drop - n.keep) + " open";
}

function filter() {
  const label = by("label").value, look = by("look").value, from = Number(by("from").value) / 100, show = by("show").value;
  shown = state.suspects.filter(s => (!label || s.label === label) && (!look || s.look === look) && (!s.rated || s.probability >= from) &&
    (!show || (show === "split" ? split(s) : show === "open" ? !decided(s) : decided(s) === show)));
  grid.replaceChildren();
  for (const s of shown) grid.append(tile(s)); // a call takes some 100,000 arguments at most
  by("none").hidden = shown.length > 0;
  if (grid.firstChild) grid.firstChild.tabIndex = 0;
  tell();
}

const current = () => [...grid.children].indexOf(document.activeElement);

// seen tells whether a tile is on the screen: nothing is decided on what was not seen.
function seen(k) {
  const li = grid.children[k];
  if (!li) return true;
  const box = li.getBoundingClientRect();
  return box.top < document.querySelector("footer").getBoundingClientRect().top && box.bottom > 0;
}

// focus goes to a tile. What the mouse points at stays where it is: a double click would meet another tile.
function focus(k, still) {
  const li = grid.children[k];
  if (!li) return;
  [...grid.children].forEach(c => { c.tabIndex = -1; });
  li.tabIndex = 0;
  li.focus({ preventScroll: !!still });
  if (!still) li.scrollIntoView({ block: "nearest" });
}

// store sends what is not stored yet, and ends at the first error: the next decision tries again.
async function store() {
  const all = [...waiting];
  try {
    for (const [index, decision] of all) {
      await call("decide", { index, decision });
      waiting.delete(index);
      if (decision) state.mine[index] = decision; else delete state.mine[index];
    }
    by("saved").classList.remove("failed");
  } finally {
    for (const [index] of all) {
      const k = shown.findIndex(s => s.index === index);
      if (k >= 0) paint(grid.children[k], shown[k]);
    }
    tell();
  }
}

async function decide(s, decision) {
  waiting.delete(s.index);
  waiting.set(s.index, decision);
  await store();
  by("saved").textContent = "saved";
}

const toggle = s => decide(s, wanted(s) === "drop" ? "keep" : "drop");

async function undo() {
  await store();
  const u = await call("undo", {});
  if (u.index < 0) { by("saved").textContent = "nothing to undo"; return; }
  if (u.decision) state.mine[u.index] = u.decision; else delete state.mine[u.index];
  by("saved").textContent = "taken back";
  const k = shown.findIndex(s => s.index === u.index);
  if (k >= 0) { paint(grid.children[k], shown[k]); focus(k); }
  tell();
}

function enlarge(k) {
  const s = shown[k];
  if (!s) return;
  by("picture").src = "image/" + s.index;
  by("picture").alt = plain(s.label);
  by("picture").classList.toggle("photo", grid.children[k].querySelector("img").classList.contains("photo"));
  by("caption").textContent = plain(s.label + ", " + s.source) + ", rank " + s.rank;
  by("large").showModal();
}

async function finish() {
  await store();
  const w = await call("write", {});
  const n = (k, one) => k + " " + one + (k === 1 ? "" : "s");
  by("result").textContent = "Written: " + n(w.decided, "decision") + "." + (w.disagreed ? " Reviewers disagree on " + n(w.disagreed, "image") + ": your own decision holds, and without one the run's." : "");
  by("command").textContent = w.command;
  by("finish").showModal();
}

function sameColumn(k, step) {
  const left = grid.children[k].offsetLeft;
  let i = k + step;
  while (grid.children[i] && grid.children[i].offsetLeft !== left) i += step;
  return i;
}

let queue = Promise.resolve(); // decisions are sent one after another, in the order of the keys
const later = f => { queue = queue.then(f).catch(() => {}); };

document.addEventListener("keydown", e => {
  if (e.ctrlKey || e.altKey || e.metaKey || document.querySelector("dialog[open]") || /^(SELECT|INPUT)$/.test(e.target.tagName)) return;
  const k = current();
  if (k >= 0 && !seen(k) && !["Tab", "Shift"].includes(e.key) && !/^[u?l]$/i.test(e.key)) { e.preventDefault(); focus(k); return; }
  const move = { ArrowLeft: () => k - 1, ArrowRight: () => k + 1, ArrowUp: () => sameColumn(k, -1), ArrowDown: () => sameColumn(k, 1) }[e.key];
  if (move) { e.preventDefault(); focus(k < 0 ? 0 : move()); return; }
  const s = shown[k];
  const act = {
    d: () => { later(() => decide(s, "drop")); focus(k + 1); }, k: () => { later(() => decide(s, "keep")); focus(k + 1); },
    " ": () => later(() => toggle(s)), Backspace: () => later(() => decide(s, "")),
    Enter: () => enlarge(k), u: () => later(undo), "?": () => by("help").showModal(), l: () => by("label").focus(),
  }[e.key.length === 1 ? e.key.toLowerCase() : e.key];
  if (!act || (e.target.tagName === "BUTTON" && (e.key === " " || e.key === "Enter"))) return;
  if (k < 0 && !"u?l".includes(e.key)) return;
  e.preventDefault();
  act();
});

// A click decides when it is clear that no second one follows, or when something else is done. A double click decides nothing:
// what the first one of a slower double click decided is taken back.
const wait = 400; // ms
let click = null; // the last one that was the first of its kind

function settle() {
  const c = click;
  if (!c || c.settled) return;
  clearTimeout(c.timer);
  c.settled = true;
  later(async () => {
    c.before = wanted(c.suspect);
    await toggle(c.suspect);
  });
}

grid.addEventListener("click", e => {
  const li = e.target.closest("li");
  if (!li) return;
  const k = [...grid.children].indexOf(li);
  if (e.detail > 1 && click && click.suspect === shown[k]) return;
  settle();
  focus(k, true);
  click = { suspect: shown[k], timer: setTimeout(settle, wait) };
});
grid.addEventListener("dblclick", e => {
  const li = e.target.closest("li");
  if (!li) return;
  const k = [...grid.children].indexOf(li), c = click;
  if (c && c.suspect === shown[k]) {
    clearTimeout(c.timer);
    click = null;
    if (c.settled) later(async () => { if (c.before !== undefined) await decide(c.suspect, c.before); });
  }
  enlarge(k);
});
for (const type of ["keydown", "input", "pagehide"]) addEventListener(type, settle, true);
for (const id of ["undo", "done"]) by(id).addEventListener("click", settle);
by("undo").addEventListener("click", () => later(undo));
by("keys").addEventListener("click", () => by("help").showModal());
by("done").addEventListener("click", () => later(finish));
by("filters").addEventListener("input", filter);
by("filters").addEventListener("submit", e => e.preventDefault());

(async () => {
  state = await call("state");
  if (by("about")) by("about").textContent = state.images + " images. The run set " + state.removed + " of them aside; the most suspicious are below.";
  for (const [id, of] of [["label", s => s.label], ["look", s => s.look]]) {
    for (const v of new Set(state.suspects.map(of).filter(Boolean))) by(id).add(new Option(plain(v), v));
  }
  filter();
  if (grid.firstChild) grid.firstChild.focus({ preventScroll: true });
})();
