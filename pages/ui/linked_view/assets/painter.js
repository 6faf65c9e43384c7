// Painting points into a canvas's pixels.
//
// Plain memory writes: a disc is a small table of coverages that is blended at each cell's place.
// It needs no graphics card, and takes milliseconds where redrawing through a plotting library
// takes seconds.

// Pixels around the visible ones, so that a disc at the edge needs no test of its own.
const APRON = 16;
const PHASES = 4; // places within a pixel at which a disc can sit, per axis: motion looks smooth

/** @typedef {{size: number, cover: Uint16Array[]}} Stamp coverage of 0..256, one table a phase */

/**
 * @param {number} radius in pixels
 * @param {number} opacity
 * @returns {Stamp}
 */
function makeStamp(radius, opacity) {
  const size = Math.ceil(2 * radius + 1) + 1;
  const cover = [];
  for (let phase = 0; phase < PHASES * PHASES; phase++) {
    const cx = radius + 0.5 + ((phase % PHASES) + 0.5) / PHASES;
    const cy = radius + 0.5 + (Math.floor(phase / PHASES) + 0.5) / PHASES;
    const table = new Uint16Array(size * size);
    for (let row = 0; row < size; row++) {
      for (let col = 0; col < size; col++) {
        const distance = Math.hypot(col + 0.5 - cx, row + 0.5 - cy);
        const covered = Math.min(1, Math.max(0, radius + 0.5 - distance));
        table[row * size + col] = Math.round(256 * opacity * covered);
      }
    }
    cover.push(table);
  }
  return { size, cover };
}

/**
 * What to paint. Arrays are in draw order.
 * @typedef {object} Scene
 * @property {Float32Array} x
 * @property {Float32Array} y
 * @property {Uint16Array} codes index into `lut`
 * @property {Uint32Array} lut pixel per code; 0 leaves the cell out
 * @property {Uint32Array} faded the same for cells outside the selection
 * @property {Uint8Array | null} selection
 * @property {number} count how many cells to paint: the first of a random order are a fair sample
 * @property {number} radius in device pixels
 * @property {number} opacity
 * @property {number} background pixel
 * @property {import("./camera.js").Transform} tx to device pixels
 * @property {import("./camera.js").Transform} ty
 */

export class Painter {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    /** @type {ImageData | null} */
    this.image = null;
    /** @type {Map<string, Stamp>} */
    this.stamps = new Map();
  }

  /** @param {Scene} scene */
  paint(scene) {
    if (!this.canvas.width || !this.canvas.height) return;
    const width = this.canvas.width + 2 * APRON;
    const height = this.canvas.height + 2 * APRON;
    if (this.image?.width !== width || this.image.height !== height) {
      this.image = this.context.createImageData(width, height);
      this.pixels = new Uint32Array(this.image.data.buffer);
    }
    this.pixels.fill(scene.background);
    if (scene.selection) {
      this.#layer(scene, scene.faded, 0, scene.radius);
      this.#layer(scene, scene.lut, 1, scene.radius * 1.15);
    } else {
      this.#layer(scene, scene.lut, -1, scene.radius);
    }
    this.context.putImageData(this.image, -APRON, -APRON);
  }

  /**
   * @param {Scene} scene
   * @param {Uint32Array} lut
   * @param {number} which paint the cells whose `selection` is this; -1 for all
   * @param {number} radius
   */
  #layer(scene, lut, which, radius) {
    const { x, y, codes, selection, count, opacity } = scene;
    const { scale: ax, shift: bx } = scene.tx;
    const { scale: ay, shift: by } = scene.ty;
    const { width, height } = this.image;
    const pixels = this.pixels;
    const name = `${radius.toFixed(2)} ${opacity.toFixed(2)}`;
    if (!this.stamps.has(name)) {
      if (this.stamps.size > 50) this.stamps.clear();
      this.stamps.set(name, makeStamp(radius, opacity));
    }
    const { size, cover } = this.stamps.get(name);
    const lastCol = width - size;
    const lastRow = height - size;
    const reach = radius + 0.5 - APRON;
    for (let k = 0; k < count; k++) {
      if (which >= 0 && selection[k] !== which) continue;
      const color = lut[codes[k]];
      if (color === 0) continue;
      const px = x[k] * ax + bx - reach;
      const py = y[k] * ay + by - reach;
      // Written so that a cell without a place (NaN) fails too.
      if (!(px >= 0 && py >= 0 && px < lastCol && py < lastRow)) continue;
      const col = Math.floor(px);
      const row = Math.floor(py);
      const phase = Math.floor((px - col) * PHASES) + PHASES * Math.floor((py - row) * PHASES);
      const table = cover[phase];
      const redBlue = color & 0xff00ff;
      const green = color & 0x00ff00;
      let at = row * width + col;
      for (let r = 0, t = 0; r < size; r++, at += width - size) {
        for (let c = 0; c < size; c++, at++, t++) {
          const a = table[t];
          if (a === 0) continue;
          const under = pixels[at];
          // Red and blue share one multiplication: each has 8 free bits above it.
          const rb = under & 0xff00ff;
          const g = under & 0x00ff00;
          pixels[at] =
            0xff000000 |
            ((rb + (Math.imul(redBlue - rb, a) >>> 8)) & 0xff00ff) |
            ((g + (Math.imul(green - g, a) >>> 8)) & 0x00ff00);
        }
      }
    }
  }
}

/**
 * Points shrink as cells become many, so that a crowd stays a texture and not a blot.
 * @param {number} n
 * @param {number} width in CSS pixels
 * @param {number} height
 * @param {number} zoom
 * @returns {{radius: number, opacity: number}} radius in CSS pixels
 */
export function pointStyle(n, width, height, zoom) {
  const fair = Math.sqrt((0.3 * width * height) / (Math.PI * Math.max(n, 1)));
  const radius = Math.min(4, Math.max(0.6, fair)) * Math.min(3, zoom ** 0.35);
  const opacity = Math.min(0.9, Math.max(0.6, 0.9 - 0.1 * Math.log10(n / 5000)));
  return { radius: Math.min(radius, 7), opacity };
}
