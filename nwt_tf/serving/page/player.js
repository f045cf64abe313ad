// The video while it is made: pieces go into a media source as they come, and the sound's outline
// shows how far making and playing are.

const Source = window.ManagedMediaSource || window.MediaSource;

export class Player {
  constructor(root) {
    const find = (name) => root.querySelector(name);
    this.video = find("#video");
    this.screen = find("#screen");
    this.button = find("#play");
    this.seek = find("#seek");
    this.clock = find("#clock");
    this.wave = find("#wave");
    this.root = root;
    this.peaks = [];
    this.reset();
    this.button.onclick = this.video.onclick = () => this.toggle();
    this.seek.oninput = () => { this.video.currentTime = Number(this.seek.value); };
    for (const event of ["play", "pause", "ended"]) {
      this.video.addEventListener(event, () => this.tick());
    }
    this.video.addEventListener("timeupdate", () => this.show());
    this.video.addEventListener("loadeddata", () => this.screen.classList.add("showing"));
    new ResizeObserver(() => this.show()).observe(this.wave);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.show());
  }

  reset() {
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
    if (this.url) URL.revokeObjectURL(this.url);
    Object.assign(this, { url: null, source: null, buffer: null, waiting: [], ended: false, begun: false });
    this.seconds = this.ready = 0;
    this.peaks = [];
    this.screen.classList.remove("showing");
    this.button.disabled = this.seek.disabled = true;
    this.show();
  }

  // The sound is known: its seconds and outline.
  begin(seconds, peaks) {
    this.seconds = seconds;
    this.peaks = peaks;
    this.seek.max = seconds;
    this.show();
  }

  // A piece of a fragmented mp4; `mime` comes with the first.
  add(bytes, mime, ready) {
    this.ready = ready;
    if (mime) this.open(mime);
    if (this.source) {
      this.waiting.push(bytes);
      this.feed();
    }
    this.show();
  }

  open(mime) {
    if (!Source || !Source.isTypeSupported(mime)) return; // The whole video is shown in the end.
    this.source = new Source();
    this.video.disableRemotePlayback = true; // a ManagedMediaSource demands it
    this.load(this.source);
    const source = this.source;
    source.addEventListener("sourceopen", () => {
      if (source !== this.source || this.buffer) return;
      this.buffer = source.addSourceBuffer(mime);
      source.duration = this.seconds;
      this.buffer.addEventListener("updateend", () => this.feed());
      this.feed();
    });
  }

  load(what) {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = URL.createObjectURL(what);
    this.video.src = this.url;
    this.button.disabled = this.seek.disabled = false;
  }

  feed() {
    if (!this.buffer || this.buffer.updating || this.source.readyState !== "open") return;
    if (this.waiting.length) this.buffer.appendBuffer(this.waiting.shift());
    else if (this.ended) this.source.endOfStream();
  }

  // All pieces are there; `whole` is the video as an ordinary file.
  end(whole) {
    this.ended = true;
    this.ready = this.seconds;
    if (this.source) this.feed();
    else this.load(whole);
    this.play();
    this.show();
  }

  // Plays when the rest is made before it is needed: `rest` is seconds of making that are left.
  playWhenSafe(rest) {
    if (this.source && this.ready > .3 && rest < this.seconds * .9) this.play();
  }

  play() {
    if (this.begun) return;
    this.begun = true;
    this.video.play().catch(() => {}); // A browser that wants another click gets one.
  }

  toggle() {
    if (this.button.disabled) return;
    this.begun = true;
    if (this.video.paused) this.video.play().catch(() => {});
    else this.video.pause();
  }

  tick() {
    this.show();
    if (!this.video.paused) requestAnimationFrame(() => this.tick());
  }

  show() {
    const { video } = this;
    const playing = !video.paused; // At its end a video is paused.
    this.root.classList.toggle("playing", playing);
    this.button.setAttribute("aria-label", playing ? "Pause" : "Play");
    const now = Math.min(video.currentTime || 0, this.seconds || Infinity);
    this.seek.value = now;
    this.seek.setAttribute("aria-valuetext", `${clock(now)} of ${clock(this.seconds)}`);
    this.clock.textContent = this.seconds ? `${clock(now)} / ${clock(this.seconds)}` : "";
    this.draw(now);
  }

  draw(now) {
    const { wave, peaks, seconds } = this;
    const dense = devicePixelRatio || 1;
    const [width, height] = [wave.clientWidth, wave.clientHeight];
    wave.width = width * dense;
    wave.height = height * dense;
    const context = wave.getContext("2d");
    context.scale(dense, dense);
    const style = getComputedStyle(wave);
    const [line, soft, main] = ["--line", "--faint", "--main"].map((name) => style.getPropertyValue(name));
    const bars = Math.max(1, Math.min(peaks.length || 80, Math.floor(width / 4)));
    for (let bar = 0; bar < bars; bar++) {
      const from = Math.floor(bar * peaks.length / bars);
      const to = Math.max(from + 1, Math.floor((bar + 1) * peaks.length / bars));
      const peak = peaks.length ? Math.max(...peaks.slice(from, to)) : 0;
      const tall = Math.max(3, peak / 100 * height * .94);
      const time = (bar + .5) / bars * seconds;
      context.fillStyle = !seconds || time > this.ready ? line : time <= now ? main : soft;
      context.beginPath();
      context.roundRect(bar * width / bars, (height - tall) / 2, Math.max(1.5, width / bars - 2), tall, 2);
      context.fill();
    }
  }
}

export function clock(seconds) {
  const tenths = Math.round((seconds || 0) * 10);
  return `${Math.floor(tenths / 600)}:${(tenths % 600 / 10).toFixed(1).padStart(4, "0")}`;
}
