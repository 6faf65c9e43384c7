// Reading the messages that Python packs (messages.py says how).

const ADDRESS_BYTES = 16;
export const NO_VALUE = 65535;

/** @typedef {{header: any, arrays: (Uint8Array | Uint16Array)[]}} Message */

/**
 * @param {string} address
 * @returns {Uint8Array | undefined} undefined while the message is still on its way
 */
export function findMessage(address) {
  return document.querySelector(`[data-linked-view-message="${address}"]`)?.linkedViewMessage;
}

/** @param {Uint8Array} bytes @returns {Message} */
export function openMessage(bytes) {
  // A copy starts at an aligned address, whatever message the bytes came in.
  const buffer = bytes.slice(ADDRESS_BYTES).buffer;
  const headerBytes = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, headerBytes)));
  // Python pads as if the address were there, and 16 is a multiple of four.
  let offset = 4 * Math.ceil((4 + headerBytes) / 4);
  const arrays = header.arrays.map(({ bytes: length, width }) => {
    const array =
      width === 2
        ? new Uint16Array(buffer, offset, length / 2)
        : new Uint8Array(buffer, offset, length);
    offset += 4 * Math.ceil(length / 4);
    return array;
  });
  return { header, arrays };
}

/**
 * Cells are kept and painted in one random order, so that no group covers another.
 * The order depends on the number of cells alone: the same cell stays in front.
 * @param {number} n
 * @returns {Uint32Array} the cell at each place of the order
 */
export function randomOrder(n) {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  let state = 0x9e3779b9;
  for (let i = n - 1; i > 0; i--) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const j = (state >>> 0) % (i + 1);
    const kept = order[i];
    order[i] = order[j];
    order[j] = kept;
  }
  return order;
}

/**
 * @param {Message} message of a layout
 * @param {Uint32Array} order
 * @returns {{x: Float32Array, y: Float32Array, bounds: number[]} | null} NaN where a cell has no
 *   place; null where no cell has one
 */
export function readPositions({ header, arrays: [steps] }, order) {
  if (!header.bounds) return null;
  const n = order.length;
  const [x0, x1, y0, y1] = header.bounds;
  const x = new Float32Array(n);
  const y = new Float32Array(n);
  const stepX = (x1 - x0) / (NO_VALUE - 1);
  const stepY = (y1 - y0) / (NO_VALUE - 1);
  for (let k = 0; k < n; k++) {
    const i = order[k];
    x[k] = steps[i] === NO_VALUE ? NaN : x0 + steps[i] * stepX;
    y[k] = steps[i] === NO_VALUE ? NaN : y0 + steps[n + i] * stepY;
  }
  return { x, y, bounds: header.bounds };
}

/**
 * A column as the view uses it: `at(i)` is what a person reads for cell i.
 * @typedef {{role: string, kind: string, name: string, codes: Uint16Array | null,
 *   levels: string[], colors: string[], range: number[], limits: number[],
 *   at: (i: number) => string}} Column
 */

/** @param {Message} message of columns @returns {Column[]} */
export function readColumns({ header, arrays }) {
  return header.columns.map((column, j) => {
    const array = arrays[j];
    if (column.kind === "categories") {
      return { ...column, codes: array, at: (i) => column.levels[array[i]] ?? "missing" };
    }
    if (column.kind === "values") {
      return { ...column, codes: array, at: (i) => formatNumber(valueAt(column, array[i])) };
    }
    /** @type {string[] | undefined} names are many: read at the first hover */
    let texts;
    const at = (i) => (texts ??= new TextDecoder().decode(array).split("\0"))[i];
    return { ...column, codes: null, at };
  });
}

/** @param {{range: number[]}} column @param {number} step @returns {number} */
export function valueAt({ range: [low, high] }, step) {
  return step === NO_VALUE ? NaN : low + (step / (NO_VALUE - 1)) * (high - low);
}

/** @param {number} value */
export function formatNumber(value) {
  if (Number.isNaN(value)) return "missing";
  return value.toLocaleString("en", { maximumSignificantDigits: 3 });
}
