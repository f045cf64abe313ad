// The settings beside the sound: episode, style, temperature, guidance, seed.

const RANGE = 3; // standard deviations that a slider reaches, and further where the mean is

export class Settings {
  constructor(root, preset) {
    this.find = (name) => root.querySelector(name);
    this.preset = preset;
    this.touched = false; // Until then the server takes the episode's own mean, unrounded.
    const episode = this.find("#episode");
    for (const { name } of preset.episodes) {
      const label = name === "none" ? "None: no look in particular" : name.replaceAll("_", " ");
      episode.add(new Option(label, name));
    }
    const furthest = Math.max(...preset.episodes.flatMap((each) => each.style.map(Math.abs)), 0);
    const reach = Math.min(preset.max_style, Math.max(RANGE, Math.ceil(furthest + 1)));
    this.sliders = Array.from({ length: preset.style_dim }, (_, index) => this.slider(index, reach));
    episode.value = (preset.episodes[1] || preset.episodes[0]).name;
    episode.onchange = () => { if (!this.touched) this.mean(); };
    this.find("#mean").onclick = () => this.mean();
    this.find("#draw").onclick = () => this.set(this.sliders.map(() => normal()));
    this.find("#dice").onclick = () => { this.find("#seed").value = Math.floor(Math.random() * 1e6); this.changed(); };
    this.draws = ["temperature", "guidance"].map((name) => this.find(`#${name}`));
    for (const input of this.draws) {
      const recommended = preset.draws[input.id]; // As it is, whatever the slider's range and steps.
      [input.step, input.max] = ["any", Math.max(input.max, recommended)];
      input.value = recommended;
      input.oninput = () => this.show();
    }
    this.mean();
  }

  slider(index, reach) {
    const row = document.createElement("div");
    row.className = "slider";
    row.innerHTML = "<label></label><input type='range' step='any'><output></output>";
    const [label, input, output] = row.children;
    input.id = `style-${index}`;
    label.htmlFor = output.htmlFor = input.id;
    label.textContent = `Variate ${index}`;
    [input.min, input.max] = [-reach, reach];
    input.oninput = () => { this.touched = true; this.show(); };
    this.find("#style").append(row);
    return input;
  }

  mean() {
    const name = this.find("#episode").value;
    this.set(this.preset.episodes.find((each) => each.name === name).style);
    this.touched = false;
    this.show();
  }

  set(style) {
    style.forEach((value, index) => { this.sliders[index].value = value; });
    this.touched = true;
    this.show();
  }

  show() {
    for (const input of [...this.sliders, ...this.draws]) {
      input.nextElementSibling.textContent = Number(input.value).toFixed(2);
    }
    this.find("#mean").disabled = !this.touched;
    this.changed();
  }

  changed() {
    this.onchange?.();
  }

  // As the query of a request.
  query() {
    const query = new URLSearchParams({
      episode: this.find("#episode").value,
      seed: this.find("#seed").value.trim() || "0",
      ...Object.fromEntries(this.draws.map((input) => [input.id, input.value])),
    });
    if (this.touched) query.set("style", this.sliders.map((input) => Number(Number(input.value).toFixed(4))).join(","));
    return query.toString().replaceAll("'", "%27");
  }
}

// A draw of the standard normal distribution, within the sliders.
function normal() {
  const draw = Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  return Math.max(-RANGE, Math.min(RANGE, draw));
}
