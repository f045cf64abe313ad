// The sound to send: a recording, a file, or words.

export class Sound {
  // `complain` takes an error in words, or nothing where there is none any more.
  constructor(root, limits, complain) {
    this.find = (name) => root.querySelector(name);
    this.limits = limits;
    this.complain = complain;
    this.chosen = { record: null, file: null };
    this.recorder = null;
    root.querySelectorAll("[name=source]").forEach((choice) => { choice.onchange = () => this.turn(); });
    this.find("#record").onclick = () => this.toggle();
    this.find("#forget").onclick = () => this.choose(null);
    this.find("#file").onchange = (event) => this.take(event.target.files[0]);
    this.find("#text").oninput = () => this.count();
    const drop = this.find("#drop");
    drop.ondragover = (event) => { event.preventDefault(); drop.classList.add("over"); };
    drop.ondragleave = () => drop.classList.remove("over");
    drop.ondrop = (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      this.take(event.dataTransfer.files[0]);
    };
    const { seconds, megabytes, characters } = limits;
    this.find("#file-limits").textContent =
      `wav, mp3, m4a, ogg, flac, webm, videos too; up to ${seconds} s and ${megabytes} MB`;
    this.find("#text").maxLength = characters;
    this.turn();
    this.count();
  }

  get source() {
    return this.find("[name=source]:checked").value;
  }

  turn() {
    if (this.recorder) this.recorder.stop();
    this.complain();
    for (const panel of document.querySelectorAll(".source")) {
      panel.hidden = panel.dataset.source !== this.source;
    }
    this.showChosen();
  }

  count() {
    const { value } = this.find("#text");
    this.find("#text-limits").textContent = `${value.length} of ${this.limits.characters} characters`;
  }

  take(file) {
    if (!file) return;
    if (file.size > this.limits.megabytes * 1e6) {
      this.complain(`The file is larger than ${this.limits.megabytes} MB.`);
      return;
    }
    this.choose({ blob: file, name: file.name });
  }

  choose(sound) {
    this.complain();
    this.chosen[this.source] = sound;
    if (!sound) this.find("#file").value = "";
    this.showChosen();
  }

  showChosen() {
    const sound = this.chosen[this.source];
    const preview = this.find("#preview");
    this.find("#chosen").hidden = !sound;
    if (this.preview) URL.revokeObjectURL(this.preview);
    this.preview = sound && URL.createObjectURL(sound.blob);
    if (sound) preview.src = this.preview;
    else preview.removeAttribute("src");
    this.find("#chosen-name").textContent = sound ? sound.name : "";
  }

  // What to send: {body, type}; null where there is nothing, which it says.
  get() {
    if (this.source === "text") {
      const text = this.find("#text").value.trim();
      if (!text) this.complain("Write what is to be said first.");
      return text ? { body: text, type: "text/plain; charset=utf-8" } : null;
    }
    if (this.recorder) {
      this.complain("The recording still runs: stop it first.");
      return null;
    }
    const sound = this.chosen[this.source];
    if (!sound) this.complain(this.source === "record" ? "Record something first." : "Choose a sound file first.");
    return sound && { body: sound.blob, type: "application/octet-stream" };
  }

  async toggle() {
    if (this.recorder) {
      this.recorder.stop();
      return;
    }
    this.complain();
    if (!navigator.mediaDevices || !window.MediaRecorder) {
      this.complain("This browser lets pages record only over https or on this very machine. Choose a file instead.");
      return;
    }
    const button = this.find("#record");
    button.disabled = true;
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch (error) {
      const denied = error.name === "NotAllowedError";
      this.complain(denied ? "The browser does not allow this page to use the microphone." : "No microphone was found. Choose a file instead.");
      return;
    } finally {
      button.disabled = false;
    }
    this.record(stream);
  }

  record(stream) {
    const button = this.find("#record");
    const recorder = this.recorder = new MediaRecorder(stream);
    const parts = [];
    const start = performance.now();
    const meter = new Meter(stream, this.find("#level"));
    const longest = this.limits.seconds - .5;
    const passed = () => (performance.now() - start) / 1000;
    const timer = setInterval(() => {
      this.find("#timer").textContent = `${passed().toFixed(1)} s of ${this.limits.seconds} s`;
      if (passed() >= longest && recorder.state === "recording") recorder.stop();
    }, 100);
    recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.onstop = () => {
      clearInterval(timer);
      meter.close();
      stream.getTracks().forEach((track) => track.stop());
      this.recorder = null;
      button.setAttribute("aria-pressed", "false");
      button.lastElementChild.textContent = "Record again";
      this.find("#timer").textContent = "";
      this.chosen.record = { blob: new Blob(parts, { type: recorder.mimeType }), name: `Recording, ${passed().toFixed(1)} s` };
      this.showChosen();
    };
    button.setAttribute("aria-pressed", "true");
    button.lastElementChild.textContent = "Stop recording";
    this.find("#chosen").hidden = true;
    recorder.start();
  }
}

// The microphone's level, as the width of an element.
class Meter {
  constructor(stream, element) {
    this.context = new AudioContext();
    const analyser = this.context.createAnalyser();
    this.context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const step = () => {
      if (!this.context) {
        element.style.transform = "";
        return;
      }
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
      element.style.transform = `scaleX(${Math.min(1, 4 * Math.sqrt(power))})`;
      requestAnimationFrame(step);
    };
    step();
  }

  close() {
    this.context.close();
    this.context = null;
  }
}
