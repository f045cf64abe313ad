"use strict";
const $ = (id) => document.getElementById(id);
const dataset = JSON.parse($("dataset").textContent);
const clips = [...document.querySelectorAll("script.clip")].map((element) => ({
  ...JSON.parse(element.textContent),
  strip: element.nextElementSibling, // Its picture stays text until the card comes into view.
}));
const byId = new Map(clips.map((clip) => [clip.id, clip]));
const flagged = (clip) => clip.reasons.length > 0;
const kind = (reason) => reason.split(": ")[0];

// Decisions: clip id -> "keep" or "drop". They survive a reload of the page in localStorage.
const KEY = `nwt review ${dataset.fingerprint}`;
const decisions = new Map();
const undone = []; // Steps, each a list of [id, decision before].
let saved = true;
let kept = true; // Whether this browser keeps them; some keep nothing of a local file.

/** The decisions in a review's text; throws an Error whose message is for people. */
function parse(text) {
  let review;
  try { review = JSON.parse(text); } catch { throw new Error("it is not JSON"); }
  if (review?.format !== "nwt review" || typeof review.decisions !== "object" || !review.decisions)
    throw new Error("it is no review");
  if (review.version !== dataset.version) throw new Error(`it has version ${review.version}, not ${dataset.version}`);
  if (review.dataset !== dataset.fingerprint) throw new Error("it is of other clips");
  const entries = Object.entries(review.decisions);
  const wrong = entries.find(([id, decision]) => !byId.has(id) || !["keep", "drop"].includes(decision));
  if (wrong) throw new Error(`it has an unknown clip or decision: ${wrong[0]}`);
  return entries;
}

function reviewText() {
  const ordered = clips.filter((clip) => decisions.has(clip.id)).map((clip) => [clip.id, decisions.get(clip.id)]);
  return JSON.stringify({
    format: "nwt review", version: dataset.version, dataset: dataset.fingerprint,
    decisions: Object.fromEntries(ordered),
  }, null, 1) + "\n";
}

function remember() {
  const text = reviewText();
  try {
    localStorage.setItem(KEY, text);
    kept = localStorage.getItem(KEY) === text;
  } catch { kept = false; }
}

addEventListener("beforeunload", (event) => { if (!kept && !saved) event.preventDefault(); });

function say(text, wrong = false) {
  $("status").textContent = text;
  $("status").classList.toggle("wrong", wrong);
}

/** Sets decisions ([id, "keep" | "drop" | undefined] each) as one step that can be undone. */
function decide(changes, text) {
  changes = changes.filter(([id, decision]) => decisions.get(id) !== decision);
  if (!changes.length) return;
  undone.push(changes.map(([id]) => [id, decisions.get(id)]));
  apply(changes, text);
}

function apply(changes, text) {
  for (const [id, decision] of changes) {
    if (decision) decisions.set(id, decision); else decisions.delete(id);
    mark(byId.get(id));
  }
  saved = false;
  remember();
  count();
  say(text);
}

function undo() {
  const step = undone.pop();
  if (step) apply(step, step.length === 1 ? `Undone: ${step[0][0]}` : `Undone: ${step.length} clips`);
}

// Cards.
const grid = $("grid");
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) {
    seen.unobserve(entry.target);
    entry.target.clip.picture();
  }
}, { rootMargin: "600px" });

function card(clip) {
  if (clip.card) return clip.card;
  clip.card = $("card").content.firstElementChild.cloneNode(true);
  const find = (selector) => clip.card.querySelector(selector);
  const article = find("article"), picture = find(".picture"), strip = find(".strip");
  clip.article = article;
  clip.card.clip = clip;
  find("h2").textContent = clip.id;
  find(".where").textContent = `${clip.episode === clip.id ? "" : `${clip.episode} · `}${clip.seconds.toFixed(2)} s`;
  for (const reason of clip.reasons) {
    const chip = document.createElement("li");
    const name = document.createElement("b");
    name.textContent = kind(reason);
    chip.append(name, reason.slice(kind(reason).length));
    find(".reasons").append(chip);
  }
  picture.style.aspectRatio = clip.width / clip.height;
  picture.style.backgroundSize = `${clip.pictures * 100}% 100%`;
  clip.show = (number) => {
    picture.style.backgroundPositionX = `${number * 100 / Math.max(1, clip.pictures - 1)}%`;
  };
  clip.show(clip.pictures >> 1);
  clip.picture = () => {
    const url = `url(data:image/webp;base64,${clip.strip.textContent})`;
    picture.style.backgroundImage = strip.style.backgroundImage = url;
    strip.style.backgroundSize = "100% 2.2rem";
  };
  const heights = [...clip.levels].map((digit) => parseInt(digit, 36) / 35);
  const edge = (sign) => heights.map((height, x) => `${x} ${1 + sign * Math.max(.03, height)}`);
  strip.firstChild.setAttribute("viewBox", `0 0 ${Math.max(1, heights.length - 1)} 2`);
  strip.querySelector("path").setAttribute("d", `M${edge(-1).join("L")}L${edge(1).reverse().join("L")}Z`);
  find(".keep").addEventListener("click", () => choose(clip, "keep"));
  find(".drop").addEventListener("click", () => choose(clip, "drop"));
  article.addEventListener("mouseenter", () => play(clip));
  article.addEventListener("mouseleave", () => stop());
  article.addEventListener("focusin", () => { become(clip); if (!calm.matches) play(clip); });
  mark(clip);
  return clip.card;
}

function mark(clip) {
  if (!clip.card) return;
  const decision = decisions.get(clip.id) ?? "";
  clip.article.dataset.decision = decision;
  const words = { keep: "kept", drop: "dropped", "": "undecided" };
  clip.article.setAttribute("aria-label", [clip.id, words[decision], ...clip.reasons].join(", "));
  for (const name of ["keep", "drop"])
    clip.card.querySelector(`.${name}`).setAttribute("aria-pressed", decision === name);
}

function choose(clip, decision) {
  if (decisions.get(clip.id) === decision) decision = undefined; // A second press takes it back.
  const words = { keep: "Kept", drop: "Dropped" };
  decide([[clip.id, decision]], `${words[decision] ?? "Undecided again"}: ${clip.id}`);
}

// Playing: one clip at a time, at its own speed.
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let playing = null;

function play(clip) {
  if (playing === clip) return;
  stop();
  playing = clip;
  clip.picture();
  clip.article.classList.add("playing");
  const began = performance.now();
  const head = clip.card.querySelector("i");
  requestAnimationFrame(function step(now) {
    if (playing !== clip) return;
    const share = Math.max(0, now - began) / 1000 / clip.seconds % 1;
    clip.show(Math.floor(share * clip.pictures));
    head.style.left = `${share * 100}%`;
    requestAnimationFrame(step);
  });
}

function stop() {
  if (!playing) return;
  playing.article.classList.remove("playing");
  playing.show(playing.pictures >> 1);
  playing = null;
}

// What is shown, and which clip is the current one.
let shown = [], current = null;
let byPointer = false; // After a click in the header the keys go to the clips again.
addEventListener("pointerdown", () => { byPointer = true; }, true);
addEventListener("keydown", () => { byPointer = false; }, true);
const filters = {
  all: () => true,
  flagged,
  undecided: (clip) => !decisions.has(clip.id),
  kept: (clip) => decisions.get(clip.id) === "keep",
  dropped: (clip) => decisions.get(clip.id) === "drop",
};

function filter() {
  stop();
  const test = filters[document.querySelector("#filters :checked").value];
  const { value: reason } = $("reason"), { value: episode } = $("episode");
  shown = clips.filter((clip) => test(clip)
    && (!reason || clip.reasons.some((text) => kind(text) === reason.slice(1)))
    && (!episode || clip.episode === episode.slice(1)));
  grid.replaceChildren(...shown.map(card));
  shown.forEach((clip, place) => { clip.place = place; seen.observe(clip.card); });
  $("nothing").hidden = shown.length > 0;
  $("shown").textContent = `${shown.length} shown`;
  if (current && shown[current.place] !== current) become(null);
  if (!current && shown.length) become(shown[0]);
  scrollTo(0, 0);
  if (byPointer && current) current.article.focus({ preventScroll: true });
}

function become(clip) {
  if (current) tabbable(current, -1);
  current = clip;
  if (current) tabbable(current, 0);
}

function tabbable(clip, index) {
  clip.article.tabIndex = index;
  clip.article.classList.toggle("current", index === 0);
  for (const button of clip.card.querySelectorAll("button")) button.tabIndex = index;
}

function move(by) {
  if (shown.length) go(current.place + by);
}

function go(place) {
  const clip = shown[Math.min(shown.length - 1, Math.max(0, place))];
  clip.article.focus({ preventScroll: true });
  clip.card.scrollIntoView({ block: "nearest" });
}

function nextUndecided() {
  const behind = shown.slice(current.place + 1).find((clip) => !decisions.has(clip.id));
  if (behind) go(behind.place);
  else say("No clip without a decision behind this one.");
}

function count() {
  const dropped = [...decisions.values()].filter((decision) => decision === "drop").length;
  const open = clips.filter((clip) => flagged(clip) && !decisions.has(clip.id)).length;
  $("progress").max = clips.length;
  $("progress").value = decisions.size;
  $("counts").textContent = `${decisions.size} of ${clips.length} decided · ${dropped} dropped · `
    + `${open} flagged ${open === 1 ? "clip" : "clips"} left`;
  $("save").textContent = saved ? "Save review.json" : "Save review.json \u2022";
  $("undo").disabled = !undone.length;
  $("unkept").hidden = kept;
  for (const label of $("filters").querySelectorAll("label"))
    label.lastChild.textContent = ` ${clips.filter(filters[label.control.value]).length}`;
}

// Files.
let handle = null;

async function save() {
  const text = reviewText();
  try {
    if (window.showSaveFilePicker) {
      handle ??= await showSaveFilePicker({
        suggestedName: "review.json", types: [{ accept: { "application/json": [".json"] } }],
      });
      const file = await handle.createWritable();
      await file.write(text);
      await file.close();
    } else {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
      link.download = "review.json";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    }
    saved = true;
    count();
    say(`Saved ${decisions.size} decisions as ${handle?.name ?? "review.json"}.`);
  } catch (error) {
    if (error.name === "AbortError") return;
    handle = null;
    say(`It could not be saved: ${error.message}`, true);
  }
}

async function load(file) {
  try {
    const entries = parse(await file.text());
    const loaded = new Map(entries);
    decide(clips.map((clip) => [clip.id, loaded.get(clip.id)]), `Loaded ${entries.length} decisions from ${file.name}.`);
  } catch (error) {
    say(`${file.name} cannot be loaded: ${error.message}.`, true);
  }
}

// The controls.
for (const name of Object.keys(filters)) {
  const label = document.createElement("label"), input = document.createElement("input");
  Object.assign(input, { type: "radio", name: "filter", value: name });
  input.checked = name === (clips.some(flagged) ? "flagged" : "all");
  label.append(input, name[0].toUpperCase() + name.slice(1), "");
  $("filters").append(label);
}
function options(select, every, values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  select.append(new Option(every, ""));
  for (const [value, number] of counts) select.append(new Option(`${value} (${number})`, `=${value}`));
}
options($("reason"), "any", clips.flatMap((clip) => [...new Set(clip.reasons.map(kind))]));
options($("episode"), "all", clips.map((clip) => clip.episode));
const rule = dataset.undecided_flagged === "drop"
  ? "Clips without a decision are kept, but flagged ones are dropped."
  : "Clips without a decision are kept, flagged ones too.";
$("rule").textContent = `${rule} (--config.undecided_flagged says so.)`;
for (const id of ["filters", "reason", "episode"]) $(id).addEventListener("change", filter);
$("undo").addEventListener("click", undo);
$("save").addEventListener("click", save);
$("load").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", async () => {
  if ($("file").files.length) await load($("file").files[0]);
  $("file").value = "";
});
$("help").addEventListener("click", () => $("keys").showModal());
for (const [id, decision, word] of [["keep-shown", "keep", "Kept"], ["drop-shown", "drop", "Dropped"]])
  $(id).addEventListener("click", () => decide(shown.map((clip) => [clip.id, decision]), `${word} ${shown.length} clips.`));

const columns = () => getComputedStyle(grid).gridTemplateColumns.split(" ").length;
const keys = {
  ArrowRight: () => move(1), ArrowLeft: () => move(-1), ArrowDown: () => move(columns()),
  ArrowUp: () => move(-columns()), j: () => move(1), J: () => move(-1),
  Home: () => move(-shown.length), End: () => move(shown.length),
  k: () => settle("keep"), 1: () => settle("keep"), d: () => settle("drop"), 2: () => settle("drop"),
  0: () => decide([[current.id, undefined]], `Undecided again: ${current.id}`),
  " ": () => playing ? stop() : play(current),
  n: nextUndecided, u: undo, s: save, l: () => $("load").click(), "?": () => $("help").click(),
};
function settle(decision) {
  const words = { keep: "Kept", drop: "Dropped" };
  decide([[current.id, decision]], `${words[decision]}: ${current.id}`);
  go(current.place + 1);
}
document.addEventListener("keydown", (event) => {
  const own = event.target.closest("select, input, dialog, header button");
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (!plain || !keys[event.key] || $("keys").open) return;
  if (own && (event.key.length > 1 || event.key === " " || own.matches("select"))) return;
  if (event.key === " " && event.target.closest("button")) return;
  if (!current && !["s", "l", "?", "u"].includes(event.key)) return;
  event.preventDefault();
  keys[event.key]();
});

let earlier = null;
try { earlier = localStorage.getItem(KEY); } catch { kept = false; }
try { for (const [id, decision] of parse(earlier)) decisions.set(id, decision); } catch { /* none */ }
count();
filter();
say(decisions.size ? `${decisions.size} decisions of an earlier visit are back. ${rule}` : rule);
if (current) current.article.focus({ preventScroll: true });
