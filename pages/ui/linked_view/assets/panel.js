// One picture: its canvas, where its cells are, and where they are going.

import { extent, isHome, nextFrame, transforms } from "./camera.js";
import { Painter, pointStyle } from "./painter.js";

const GLIDE_MS = 600;
const FRAME_BUDGET_MS = 16; // a panel; the two share a frame
const MIN_SAMPLE = 0.2; // less than this share of the cells moving says nothing: jump instead
const MAX_PIXELS = 3e6; // beyond, sharper pixels cost time that the eye does not get back
const REST_MS = 150; // after the last movement all cells are painted again
const PICK_RADIUS = 9;

/** @typedef {{x: Float32Array, y: Float32Array}} Points */
/** @type {Points} */
const NO_POINTS = { x: new Float32Array(0), y: new Float32Array(0) };

export class Panel {
  /** @param {string} side "left" or "right" */
  constructor(side) {
    this.figure = document.createElement("figure");
    this.figure.dataset.side = side;
    const caption = document.createElement("figcaption");
    this.title = document.createElement("span");
    this.title.className = "title";
    this.note = document.createElement("span");
    this.note.className = "note";
    caption.append(this.title, this.note);
    this.stage = document.createElement("div");
    this.stage.className = "stage";
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.overlay = document.createElement("canvas");
    this.overlay.setAttribute("aria-hidden", "true");
    this.stage.append(this.canvas, this.overlay);
    this.figure.append(caption, this.stage);

    this.painter = new Painter(this.canvas);
    /** @type {Points | null} */
    this.points = null;
    /** @type {{from: Points, to: Points, start: number} | null} */
    this.glide = null;
    /** What the picture's cells fit into; meaningless while there is none. */
    this.frame = { x0: 0, x1: 1, y0: 0, y1: 1 };
    /**
     * What floats above the cells.
     * @type {{cell: number, path: [number, number][], crosshair: boolean}}
     */
    this.marks = { cell: -1, path: [], crosshair: false };
    this.stale = true;
    this.lastMove = -Infinity;
    this.width = 0;
    this.height = 0;
    this.density = 1;
    this.fullPaintMs = 0;
  }

  /** Follow the element's size. @returns {boolean} whether it changed */
  measure() {
    const width = this.stage.clientWidth;
    const height = this.stage.clientHeight;
    const density = Math.min(
      window.devicePixelRatio || 1,
      Math.sqrt(MAX_PIXELS / Math.max(width * height, 1)),
    );
    if (width === this.width && height === this.height && density === this.density) return false;
    Object.assign(this, { width, height, density });
    for (const canvas of [this.canvas, this.overlay]) {
      canvas.width = Math.round(width * density);
      canvas.height = Math.round(height * density);
    }
    return true;
  }

  /**
   * @param {(Points & {bounds: number[]}) | null} next null shows an empty picture
   * @param {import("./camera.js").Camera} camera
   * @param {boolean} animate
   */
  moveTo(next, camera, animate) {
    this.stale = true;
    if (!next) {
      this.points = this.glide = null;
      return;
    }
    const same = this.points?.x.length === next.x.length;
    this.frame = nextFrame(same ? this.frame : null, next.bounds, same && !isHome(camera));
    const share = this.sampleShare();
    if (animate && same && share >= MIN_SAMPLE) {
      this.glide = { from: this.points, to: next, start: performance.now() };
      this.points = { x: next.x.slice(), y: next.y.slice() };
      this.step(this.glide.start);
    } else {
      this.glide = null;
      this.points = next;
    }
  }

  /** Share of the cells that can be painted within a frame of a motion. */
  sampleShare() {
    return this.fullPaintMs > FRAME_BUDGET_MS ? FRAME_BUDGET_MS / this.fullPaintMs : 1;
  }

  /** Advance the glide. @param {number} now */
  step(now) {
    if (!this.glide) return;
    const { from, to, start } = this.glide;
    const t = Math.min(1, Math.max(0, (now - start) / GLIDE_MS));
    if (t === 1) {
      this.points = to;
      this.glide = null;
      return;
    }
    const e = t < 0.5 ? 4 * t ** 3 : 1 - (2 - 2 * t) ** 3 / 2;
    const { x, y } = this.points;
    for (let k = 0; k < x.length; k++) {
      x[k] = from.x[k] + (to.x[k] - from.x[k]) * e;
      y[k] = from.y[k] + (to.y[k] - from.y[k]) * e;
    }
  }

  /** @param {import("./camera.js").Camera} camera pixels are CSS pixels */
  transforms(camera) {
    return transforms(this.frame, camera, this.width, this.height);
  }

  /** CSS pixels that the whole frame takes. @param {import("./camera.js").Camera} camera */
  extent(camera) {
    return extent(this.frame, camera, this.width, this.height);
  }

  /** Whether the picture is under way: gliding, or moved by a hand a moment ago. */
  get moving() {
    return this.glide !== null || performance.now() - this.lastMove < REST_MS;
  }

  /**
   * @param {import("./camera.js").Camera} camera
   * @param {object} look codes, lut, faded, selection, background; as the painter's scene has them
   * @param {number} enlarge factor on the points
   */
  paint(camera, look, enlarge) {
    const points = this.points ?? NO_POINTS;
    const n = points.x.length;
    const style = pointStyle(n, this.width, this.height, camera.zoom);
    const { x, y } = this.transforms(camera);
    const d = this.density;
    const start = performance.now();
    // While moving, a sample is painted when all cells would take too long.
    const { moving } = this;
    const count = moving ? Math.ceil(n * this.sampleShare()) : n;
    this.painter.paint({
      ...look,
      ...points,
      count,
      radius: style.radius * enlarge * d,
      opacity: style.opacity,
      tx: { scale: x.scale * d, shift: x.shift * d },
      ty: { scale: y.scale * d, shift: y.shift * d },
    });
    if (count === n) this.fullPaintMs = performance.now() - start;
    this.stale = moving;
  }

  /**
   * The painted cell nearest to a place on the screen.
   * @param {import("./camera.js").Camera} camera
   * @param {number} px CSS pixels
   * @param {number} py
   * @param {{codes: Uint16Array, lut: Uint32Array}} look
   * @param {number} [within] CSS pixels
   * @returns {number} place in the draw order; -1 for none
   */
  pick(camera, px, py, { codes, lut }, within = PICK_RADIUS) {
    if (!this.points) return -1;
    const { x: tx, y: ty } = this.transforms(camera);
    const { x, y } = this.points;
    let best = -1;
    let least = within ** 2;
    for (let k = 0; k < x.length; k++) {
      const dx = x[k] * tx.scale + tx.shift - px;
      const dy = y[k] * ty.scale + ty.shift - py;
      const distance = dx * dx + dy * dy;
      // On a tie the later one wins: it is painted on top.
      if (distance <= least && lut[codes[k]] !== 0) {
        least = distance;
        best = k;
      }
    }
    return best;
  }

  /**
   * Draw what floats above the cells.
   * @param {import("./camera.js").Camera} camera
   * @param {string} ink
   * @param {string} paper
   */
  mark(camera, ink, paper) {
    const { cell, path, crosshair } = this.marks;
    const context = this.overlay.getContext("2d");
    context.setTransform(this.density, 0, 0, this.density, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    if (!this.points) return;
    const stroke = (width, style, draw) => {
      context.lineWidth = width;
      context.strokeStyle = style;
      context.beginPath();
      draw();
      context.stroke();
    };
    if (cell >= 0 && cell < this.points.x.length) {
      const { x, y } = this.transforms(camera);
      const ring = () =>
        context.arc(
          this.points.x[cell] * x.scale + x.shift,
          this.points.y[cell] * y.scale + y.shift,
          7,
          0,
          2 * Math.PI,
        );
      stroke(5, paper, ring);
      stroke(2, ink, ring);
    }
    if (path.length > 1) {
      const outline = () => {
        path.forEach(([px, py]) => context.lineTo(px, py));
        context.closePath();
      };
      stroke(3, paper, outline);
      context.setLineDash([5, 3]);
      stroke(1.5, ink, outline);
      context.setLineDash([]);
    }
    if (crosshair) {
      const [cx, cy] = [this.width / 2, this.height / 2];
      stroke(1, ink, () => {
        context.moveTo(cx - 8, cy);
        context.lineTo(cx + 8, cy);
        context.moveTo(cx, cy - 8);
        context.lineTo(cx, cy + 8);
      });
    }
  }
}
