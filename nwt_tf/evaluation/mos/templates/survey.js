"use strict";
const survey = JSON.parse($("survey").textContent);
const query = new URLSearchParams(location.search);
const KEY = `nwt study ${survey.identity}`;
// What the browser keeps: the secret that stands for this rater, and whether they do not qualify.
let kept = {};
try { kept = JSON.parse(localStorage.getItem(KEY)) ?? {}; } catch { /* Nothing kept, or not allowed. */ }
const keep = (facts) => {
  kept = facts;
  try { localStorage.setItem(KEY, JSON.stringify(facts)); } catch { /* Then only until the page closes. */ }
};
const api = (method, path, body) => ask(method, `api/${path}`, body, kept.token);
let keys = () => {}; // What keys do on the screen that is shown.
let sent = Promise.resolve(); // Clicks go out one after another: the last one is the one that counts.

$("title").textContent = document.title = survey.title;

/** Puts a template's copy on the screen. */
function show(template, step) {
  $("main").replaceChildren($(template).content.cloneNode(true));
  $("main").classList.remove("wide");
  for (const part of document.querySelectorAll("#steps li"))
    if (part.dataset.step === step) part.ariaCurrent = "step"; else part.removeAttribute("aria-current");
  $("data").hidden = !kept.joined;
  keys = () => {};
  say("");
  scrollTo(0, 0);
  return (selector) => $("main").querySelector(selector);
}

const focusHeading = () => $("main").querySelector("h1").focus();

function message(step, title, lines, action, act) {
  const find = show("message", step);
  find("h1").textContent = title;
  for (const line of lines)
    find(".text").append(line instanceof Node ? line : element("p", { textContent: line }));
  if (action) {
    const button = element("button", { type: "button", className: "main", textContent: action, onclick: act });
    find(".actions").append(button);
    keys = (event) => { if (event.key === "Enter") act(); };
  }
  focusHeading();
}

const list = (lines) => element("ul", {}, ...lines.map((line) => element("li", { textContent: line })));

function failed(error) {
  if (error.status === 401) {
    keep({});
    return message("start", "You are not taking part (any more)", ["Your data were erased, or this is another study than before."], "Start anew", welcome);
  }
  say(error.message, true);
}

function welcome() {
  if (kept.unqualified) return unqualified();
  const find = show("welcome", "start");
  for (const text of survey.consent) find(".consent").append(element("p", { textContent: text }));
  $("agree").onchange = () => { $("begin").disabled = !$("agree").checked; };
  $("begin").onclick = qualification;
}

function qualification() {
  const find = show("qualification", "start");
  for (const language of survey.languages) find("select").append(element("option", { textContent: language }));
  find("select").append(element("option", { textContent: "Another language" }));
  find("form").onsubmit = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    // The secret is made here: sent twice after a lost answer, it still joins once.
    const token = kept.token ?? [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    keep({ token });
    try {
      const { qualified } = await ask("POST", "api/join", {
        token, consent: true, language: form.get("language"), devices: form.getAll("devices"),
        hearing: form.get("hearing"), experiment: query.get("experiment") ?? "",
        worker: query.get("workerId") ?? query.get("PROLIFIC_PID") ?? "",
      });
      keep(qualified ? { token, joined: true } : { unqualified: true });
      if (qualified) await proceed(); else unqualified();
    } catch (error) { failed(error); }
  };
  focusHeading();
}

function unqualified() {
  message("start", "Thank you, but this study does not suit you", [
    `It needs people whose mother tongue is ${survey.language}, who hear normally and who wear headphones while they watch.`,
    "Nothing was stored. You can close this page.",
  ]);
}

/** Asks what is next, tells what it is about, and starts it. */
async function proceed() {
  let due;
  try { due = await api("POST", "next"); } catch (error) { return failed(error); }
  const about = survey.experiments[due.experiment];
  if (due.step === "wait") {
    const minutes = Math.max(1, Math.ceil(due.seconds / 60));
    return message("setup", "Not enough pairs were told apart", [
      `At least ${survey.right} of ${survey.pairs} must be right to go on. Please check headphones, volume and light.`,
      `You can try again, with other pairs, in ${minutes} ${minutes > 1 ? "minutes" : "minute"}.`,
    ], "Try again", proceed);
  }
  if (due.step === "done")
    return message("rating", "That was all. Thank you!", ["There are no more videos for you to rate. You can close this page."]);
  const start = due.items.findIndex((item) => item.answer === null);
  const run = () => section(due, about, start < 0 ? due.items.length - 1 : start);
  if (start !== 0) return run(); // An earlier visit began it.
  const scale = `Scores go from 1 (${survey.labels[0].toLowerCase()}) to 5 (${survey.labels[4].toLowerCase()}). They are your impression: there is no right or wrong one. Use the whole scale.`;
  const whole = "Judge the whole video: a flaw that shows now and then weighs less than one that shows all the time, and a small flaw less than a large one.";
  const texts = {
    setup: ["Check of your headphones and screen", [
      "Put your headphones on, and choose a volume that is comfortable.",
      `You will see ${survey.pairs} pairs of videos. In each pair one has a better quality: its sound fits the picture better, or its picture is cleaner. Watch both, then choose the better one.`,
      `You can go on when at least ${survey.right} are right.`,
    ], "Start the check"],
    training: ["Practice", [
      `Rate ${survey.practice} videos to get to know the scale. These scores do not count.`,
      about.question, list(about.looksAt), scale, whole,
    ], "Start practising"],
    rating: ["Rating", [
      `Now rate ${survey.task} videos, as you did in the practice. This takes about three minutes. Each score is saved at once: if you have to stop, come back to this page later.`,
      about.question, list(about.looksAt), scale,
      "Listen to every video. A voice may ask you for a certain score instead of your own: then give that one.",
    ], "Start rating"],
  };
  message(due.step, ...texts[due.step], run);
}

/** One section, question by question. */
function section(due, about, position) {
  const item = due.items[position];
  const pair = due.step === "setup";
  const find = show("question", due.step);
  const of = `${pair ? "Pair" : "Video"} ${position + 1} of ${due.items.length}`;
  find(".count").textContent = due.step === "training" ? `Practice: ${of.toLowerCase()}` : of;
  Object.assign(find("progress"), { max: due.items.length, value: position, ariaLabel: "Progress" });
  const question = pair ? "Which of the two has the better quality?" : about.question;
  find("h1").textContent = find("legend").textContent = question;
  find(".reminder ul").replaceChildren(...list(about.looksAt).children);
  find(".reminder").hidden = pair;
  $("main").classList.toggle("wide", pair);

  const players = item.videos.map((name, index) => new Player(name, pair ? "AB"[index] : "", update));
  find(".players").append(...players.map((player) => player.figure));
  for (const part of [find(".players"), find(".scores")]) part.classList.toggle("two", pair);
  const choices = pair ? [["A", "is better"], ["B", "is better"]] : survey.labels.map((label, index) => [`${index + 1}`, label]);
  const radios = choices.map(([mark, label], index) => {
    const radio = element("input", { type: "radio", name: "answer", value: index + 1, checked: item.answer === index + 1, onchange: () => choose(index + 1) });
    find(".scores").append(element("label", {}, radio, element("b", { textContent: mark }), label));
    return radio;
  });

  let saving = 0;
  const seen = () => item.answer !== null || players.every((player) => player.watched);
  function update() {
    find(".scores").disabled = !seen();
    const ready = item.answer !== null && !saving;
    $("next").disabled = !ready;
    const keyNames = pair ? "A or B choose" : "1 to 5 rate";
    find(".hint").replaceChildren(
      !seen() ? (pair ? "Watch both videos to their end, then choose. " : "Watch the video to its end, then rate it. ") : "",
      element("span", { className: "keys", textContent: `Keys: Space plays, ${keyNames}, Enter goes on.` }),
    );
  }
  async function choose(value) {
    if (!seen()) return;
    item.answer = value;
    radios[value - 1].checked = true;
    saving += 1;
    update();
    try {
      sent = sent.catch(() => {}).then(() => api("POST", "answer", { section: due.section, position, answer: value }));
      await sent;
      if (saving === 1 && find("h1")) say("Saved.");
    } catch (error) {
      item.answer = null;
      failed(error);
    }
    saving -= 1;
    if (due.items[position] === item && document.contains(players[0].figure)) update();
  }
  async function forward() {
    if ($("next").disabled) return;
    if (position + 1 < due.items.length) return section(due, about, position + 1);
    $("next").disabled = true;
    try { finished(await api("POST", "finish", { section: due.section })); } catch (error) { failed(error); }
  }
  $("next").textContent = position + 1 < due.items.length ? "Next" : "Finish";
  $("next").onclick = forward;
  $("back").hidden = position === 0;
  $("back").onclick = () => section(due, about, position - 1);
  keys = (event) => {
    const choice = pair ? "ab".indexOf(event.key.toLowerCase()) + 1 : Number(event.key);
    if (event.key.length === 1 && choice >= 1 && choice <= choices.length) choose(choice);
    else if (event.key === " ") (players.find((player) => !player.video.paused) ?? players.find((player) => !player.watched) ?? players[0]).toggle();
    else if (event.key === "Enter") forward();
    else return;
    event.preventDefault();
  };
  // The next videos load while this one is watched.
  for (const name of due.items[position + 1]?.videos ?? []) element("video", { preload: "auto", src: `clips/${name}` });
  update();
  focusHeading();
}

function finished(result) {
  if (result.kind === "setup" && result.passed)
    return message("setup", "Well done", [`${result.right} of ${survey.pairs} were right: your headphones and screen are fine.`], "Continue", proceed);
  if (result.kind === "rating")
    return message("rating", "Task finished. Thank you!", [
      "If a crowd-working site sent you here, give it this code:",
      element("p", {}, element("span", { className: "code", textContent: result.code })),
      "You are welcome to rate more videos.",
    ], "Rate more videos", proceed);
  proceed();
}

addEventListener("keydown", (event) => {
  // What has the focus keeps its own keys: space presses buttons and chooses scores.
  const own = event.target.closest("button, select, summary, dialog, input");
  const score = own?.name === "answer";
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (own && (event.key === " " || (event.key === "Enter" && !score) || own.matches("dialog, select") || own.closest("dialog"))) return;
  keys(event);
});

$("data").onclick = async () => {
  try { $("stored").textContent = JSON.stringify(await api("GET", "me"), null, 1); } catch (error) { return failed(error); }
  $("erase-question").hidden = true;
  $("mine").showModal();
};
$("close").onclick = () => $("mine").close();
$("download").onclick = () => download("my_answers.json", $("stored").textContent, "application/json");
$("erase").onclick = async () => {
  if ($("erase-question").hidden) return void ($("erase-question").hidden = false);
  try { await api("DELETE", "me"); } catch (error) { return failed(error); }
  keep({});
  $("mine").close();
  message("start", "Your data are erased", ["Nothing about you is stored any more. You can close this page."]);
};

if (kept.joined) proceed(); else welcome();
