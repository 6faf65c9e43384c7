// Which cells are selected: as one bit a cell between here and Python, and from an outline.

/**
 * @param {Uint8Array} selection 1 for a selected cell, in draw order
 * @param {Uint32Array} order
 * @returns {string} empty when no cell is selected
 */
export function toBits(selection, order) {
  const bytes = new Uint8Array(Math.ceil(selection.length / 8));
  for (let k = 0; k < selection.length; k++) {
    if (selection[k]) bytes[order[k] >> 3] |= 1 << (order[k] & 7);
  }
  let text = "";
  // Piecewise, because a call takes only so many arguments.
  for (let i = 0; i < bytes.length; i += 8192) {
    text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  }
  return bytes.some((byte) => byte) ? btoa(text) : "";
}

/**
 * @param {string} bits
 * @param {Uint32Array} order
 * @returns {Uint8Array | null} null when no cell is selected
 */
export function fromBits(bits, order) {
  if (!bits) return null;
  const text = atob(bits);
  const selection = new Uint8Array(order.length);
  for (let k = 0; k < order.length; k++) {
    selection[k] = (text.charCodeAt(order[k] >> 3) >> (order[k] & 7)) & 1;
  }
  return selection;
}

/**
 * Which points lie inside a polygon (even-odd rule).
 * @param {Float32Array} x
 * @param {Float32Array} y
 * @param {[number, number][]} polygon in the same unit
 * @returns {Uint8Array}
 */
export function insidePolygon(x, y, polygon) {
  const xs = polygon.map((p) => p[0]);
  const ys = polygon.map((p) => p[1]);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [bottom, top] = [Math.min(...ys), Math.max(...ys)];
  const inside = new Uint8Array(x.length);
  for (let k = 0; k < x.length; k++) {
    const px = x[k];
    const py = y[k];
    // Written so that a cell without a place (NaN) fails too.
    if (!(px >= left && px <= right && py >= bottom && py <= top)) continue;
    let odd = 0;
    for (let a = 0, b = xs.length - 1; a < xs.length; b = a++) {
      if (ys[a] > py !== ys[b] > py) {
        if (px < ((xs[b] - xs[a]) * (py - ys[a])) / (ys[b] - ys[a]) + xs[a]) odd ^= 1;
      }
    }
    inside[k] = odd;
  }
  return inside;
}

/**
 * Cells inside an outline, added to a selection, taken from it, or instead of it.
 * @param {Uint8Array} inside
 * @param {(k: number) => boolean} visible what is hidden can't be selected
 * @param {Uint8Array | null} before
 * @param {"replace" | "add" | "remove"} how
 * @returns {Uint8Array}
 */
export function combine(inside, visible, before, how) {
  const kept = how === "replace" ? null : before;
  return inside.map((bit, k) => {
    const hit = bit && visible(k) ? 1 : 0;
    const was = kept ? kept[k] : 0;
    return how === "remove" ? was & (1 - hit) : was | hit;
  });
}
