// What the screen shows while there is no video: a head and shoulders of Memcodes, which
// twinkle while one is made.

const HUES = [[67, 56, 202], [109, 84, 214], [176, 92, 160], [224, 86, 47], [250, 170, 120]];

export class Grid {
  constructor(canvas) {
    this.canvas = canvas;
    this.rows = 16;
    this.columns = 14;
    this.busy = false;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    new ResizeObserver(() => this.draw(0)).observe(canvas);
  }

  shape(rows, columns) {
    // The preset's shape, in squares that are fine enough for a silhouette.
    const scale = Math.max(rows, columns) / 28;
    [this.rows, this.columns] = [Math.round(rows / scale), Math.round(columns / scale)];
    this.draw(0);
  }

  twinkle(busy) {
    const begins = busy && !this.busy && !this.calm;
    this.busy = busy;
    if (begins) {
      const step = (time) => {
        this.draw(time / 1000);
        if (this.busy) requestAnimationFrame(step);
      };
      requestAnimationFrame(step);
    } else {
      this.draw(0);
    }
  }

  draw(time) {
    const { canvas, rows, columns } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const dense = devicePixelRatio || 1;
    canvas.width = width * dense;
    canvas.height = height * dense;
    const context = canvas.getContext("2d");
    context.scale(dense, dense);
    const cell = Math.min(width / columns, height / rows);
    const left = (width - columns * cell) / 2;
    const top = (height - rows * cell) / 2;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const place = portrait((column + .5) / columns, (row + .5) / rows);
        const chance = noise(row * 97 + column * 31);
        const pulse = this.busy ? Math.sin(6.28 * (time * (.3 + .5 * chance) + chance)) : 2 * chance - 1;
        const light = Math.min(1, place * (.8 + .2 * pulse) + .06 + .05 * chance);
        context.fillStyle = `rgb(${tone(place + .12 * pulse * place).join(" ")} / ${light})`;
        context.beginPath();
        context.roundRect(left + column * cell + 1.5, top + row * cell + 1.5, cell - 3, cell - 3, cell * .25);
        context.fill();
      }
    }
  }
}

// How much light of a person is at a place of the picture, 0 to 1: it comes from the upper left.
function portrait(x, y) {
  const head = 1 - Math.hypot((x - .5) / .23, (y - .4) / .28);
  const body = 1 - Math.hypot((x - .5) / .47, (y - 1.08) / .4);
  const inside = Math.max(head, body);
  if (inside <= 0) return 0;
  const lit = 1 - Math.hypot(x - .36, y - .26) * .95;
  return Math.max(.2, Math.min(1, lit * (.75 + .4 * inside)));
}

// A colour between those of HUES, by a place from 0 to 1.
function tone(place) {
  const at = Math.max(0, Math.min(.999, place)) * (HUES.length - 1);
  const [from, to] = [HUES[Math.floor(at)], HUES[Math.floor(at) + 1]];
  return from.map((value, index) => Math.round(value + (to[index] - value) * (at % 1)));
}

function noise(number) {
  const value = Math.sin(number * 12.9898) * 43758.5453;
  return value - Math.floor(value);
}
