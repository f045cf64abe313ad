// Joins the page's parts: what is asked for, the request, and what is shown of its answer.

import { Grid } from "./grid.js";
import { Player } from "./player.js";
import { Settings } from "./settings.js";
import { Sound } from "./sound.js";

const find = (name) => document.querySelector(name);
const show = (name, text) => { find(name).textContent = text; };
const LOST = "The connection to the server was lost. Is it still running?";

class Wrong extends Error {} // an error in words, from the server or about it

let running = null; // the request's AbortController
let shownVideo = null; // URL of the last whole mp4

function complain(words = "") {
  show("#error", words);
  find("#error").hidden = !words;
}

function size(bytes) {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

// The lines of an answer as objects, as they come.
async function* lines(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (true) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) yield JSON.parse(part);
  }
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Wrong(LOST);
  }
  if (response.ok) return response;
  const words = await response.json().catch(() => ({}));
  throw new Wrong(words.error || `The server answered ${response.status}.`);
}

class Page {
  constructor(preset) {
    this.preset = preset;
    this.grid = new Grid(find("#grid"));
    this.grid.shape(...preset.memcodes);
    find("#screen").style.setProperty("--shape", `${preset.width} / ${preset.height}`);
    find("#screen").style.setProperty("--ratio", preset.width / preset.height);
    find("#text-choice").hidden = !preset.text;
    this.player = new Player(find("#stage"));
    this.sound = new Sound(document, preset.limits, complain);
    this.settings = new Settings(document, preset);
    this.settings.onchange = () => this.command();
    find("#controls").onchange = () => this.command();
    find("#controls").onsubmit = (event) => { event.preventDefault(); this.make(); };
    find("#stop").onclick = () => running?.abort();
    find("#copy-style").onclick = () => this.settings.set(this.style);
    show("#model", `${preset.preset} · ${preset.prior} · ${preset.width}×${preset.height} · ${preset.fps} fps`);
    this.about();
    this.command();
  }

  about() {
    const { preset } = this;
    const facts = {
      Preset: preset.preset,
      Prior: preset.prior,
      Picture: `${preset.width}×${preset.height} at ${preset.fps} frames a second`,
      Memcodes: `${preset.memcodes.join("×")} a frame, ${preset.raw_bits_per_memcode} bits each before the codec`,
      Episodes: preset.episodes.map((each) => each.name).join(", "),
      Version: `nwt_tf ${preset.version}`,
    };
    for (const [name, fact] of Object.entries(facts)) {
      find("#about").append(Object.assign(document.createElement("dt"), { textContent: name }));
      find("#about").append(Object.assign(document.createElement("dd"), { textContent: fact }));
    }
    show("#card", preset.card);
    find("#card").hidden = !preset.card;
  }

  command() {
    const address = new URL(`v1/video?${this.settings.query()}`, location.href);
    show("#curl", `curl --data-binary @speech.wav \\\n  '${address}' \\\n  --output generated.mp4`);
  }

  busy(making) {
    find("#make").hidden = making;
    find("#stop").hidden = !making;
    find("#stop").style.flex = making ? 1 : "";
    find("#screen").classList.toggle("busy", making);
    this.grid.twinkle(making);
    (making ? find("#stop") : find("#make")).focus({ preventScroll: true });
  }

  async make() {
    complain();
    if (running || !find("#controls").reportValidity()) return;
    const sound = this.sound.get();
    if (!sound) return;
    running = new AbortController();
    this.clear();
    this.busy(true);
    find("#stage").scrollIntoView({ block: "nearest" });
    show("#status", "Sending the sound…");
    try {
      const response = await ask(`v1/events?${this.settings.query()}`, {
        method: "POST",
        body: sound.body,
        headers: { "Content-Type": sound.type },
        signal: running.signal,
      });
      await this.follow(response);
    } catch (error) {
      this.failed(error);
    }
    running = null;
    this.busy(false);
  }

  async follow(response) {
    let done = false;
    for await (const line of lines(response)) {
      if (line.event === "error") throw new Wrong(line.error);
      this[line.event]?.(line);
      done ||= line.event === "done";
    }
    if (!done) throw new Wrong(LOST);
  }

  failed(error) {
    this.clear();
    document.body.classList.add("idle");
    show("#status", error.name === "AbortError" ? "Stopped." : "");
    if (error.name !== "AbortError") complain(error instanceof Wrong ? error.message : LOST);
    if (!(error instanceof Wrong) && error.name !== "AbortError" && error.name !== "TypeError") throw error;
  }

  clear() {
    this.player.reset();
    find("#preview").pause();
    document.body.classList.remove("idle");
    find("#download").hidden = find("#copy-style").hidden = true;
    find("#badge").hidden = true;
    for (const name of ["#pace", "#first", "#bits", "#rate"]) show(name, "–");
    show("#pace-note", "frames a second");
    show("#bits-note", "bits, by the codec");
    show("#rate-note", "what the video takes");
  }

  waiting({ ahead }) {
    show("#status", ahead === 1 ? "Waiting: one video is before yours." : `Waiting: ${ahead} videos are before yours.`);
  }

  start({ seconds, frames, peaks }) {
    this.total = frames;
    this.player.begin(seconds, peaks);
    show("#status", "Making the first frames…");
  }

  frames(line) {
    if (find("#first").textContent === "–") show("#first", `${line.generation_seconds.toFixed(2)} s`);
    const pace = line.frames / line.generation_seconds;
    this.player.add(bytesOf(line.mp4), line.mime, line.frames / this.preset.fps);
    this.player.playWhenSafe((this.total - line.frames) / pace);
    find("#badge").hidden = false;
    show("#status", `Made ${line.frames} of ${this.total} frames.`);
    this.figures(line, pace);
  }

  figures(line, pace) {
    show("#pace", `${(pace / this.preset.fps).toFixed(1)}×`);
    show("#pace-note", `real time: ${pace.toFixed(0)} frames a second`);
    if (line.bits_per_memcode === undefined) return;
    show("#bits", `${line.bits_per_memcode.toFixed(2)} bits`);
    show("#bits-note", `by the codec; ${this.preset.raw_bits_per_memcode} plain`);
    show("#rate", `${line.kilobits_per_second.toFixed(1)} kbit/s`);
    show("#rate-note", `${size(line.code_bytes)} so far`);
  }

  done(line) {
    const blob = new Blob([bytesOf(line.mp4)], { type: "video/mp4" });
    if (shownVideo) URL.revokeObjectURL(shownVideo);
    shownVideo = URL.createObjectURL(blob);
    this.player.end(blob);
    this.figures(line, line.frames_per_second);
    show("#rate-note", `${size(line.code_bytes)}; the mp4 ${size(blob.size)}`);
    this.style = line.style;
    const download = find("#download");
    Object.assign(download, { href: shownVideo, download: `generated_${find("#seed").value || 0}.mp4`, hidden: false });
    find("#copy-style").hidden = false;
    const seconds = line.frames / this.preset.fps;
    show("#status", `Done: ${seconds.toFixed(1)} s of video in ${line.generation_seconds.toFixed(1)} s.`);
  }
}

document.body.classList.add("idle");
try {
  new Page(await (await ask("v1/preset")).json());
} catch (error) {
  complain(error instanceof Wrong ? error.message : LOST);
  find("#make").disabled = true;
  throw error;
}
