// From a column to the colour of each cell.

import { NO_VALUE } from "./messages.js";
import { mix, MISSING_COLOR, parseColor, pixel, scaleColors, scaleStops } from "./theme.js";

const VALUE_STEPS = 256;
const FADED_SHARE = 0.16; // how much of its colour a cell outside the selection keeps

export class Coloring {
  /**
   * @param {import("./messages.js").Column} column categories or values
   * @param {Uint32Array} order
   */
  constructor(column, order) {
    this.column = column;
    this.categorical = column.kind === "categories";
    // Clusters are numbered anew by each run: what is hidden belongs to this list of levels.
    this.id = [column.name, ...(column.levels ?? [])].join("\n");
    /** Index into the painter's tables, in draw order; the last stands for "no value". */
    this.codes = this.categorical ? levelCodes(column, order) : valueCodes(column, order);
  }

  /**
   * The painter's tables.
   * @param {import("./theme.js").Theme} theme
   * @param {Set<number>} hidden levels
   * @returns {{lut: Uint32Array, faded: Uint32Array}}
   */
  tables(theme, hidden) {
    const { levels, colors } = this.column;
    const all = this.categorical
      ? levels.map((_, j) => parseColor(colors[j] ?? "gray"))
      : scaleColors(scaleStops(colors, theme), VALUE_STEPS);
    all.push(MISSING_COLOR);
    const table = (share) =>
      Uint32Array.from(all, (rgb, j) =>
        hidden.has(j) ? 0 : pixel(mix(rgb, theme.background, share)),
      );
    return { lut: table(1), faded: table(FADED_SHARE) };
  }

  /** @param {number} level @returns {Uint8Array} 1 for its cells, in draw order */
  cellsOf(level) {
    return Uint8Array.from(this.codes, (code) => (code === level ? 1 : 0));
  }

  /**
   * @param {Uint8Array | null} selection
   * @returns {Uint32Array | null} selected cells per level; null when there is nothing to count
   */
  selectedByLevel(selection) {
    if (!selection || !this.categorical) return null;
    const counts = new Uint32Array(this.column.levels.length + 1);
    for (let k = 0; k < selection.length; k++) counts[this.codes[k]] += selection[k];
    return counts;
  }
}

function levelCodes({ codes, levels }, order) {
  const result = new Uint16Array(order.length);
  for (let k = 0; k < result.length; k++) result[k] = Math.min(codes[order[k]], levels.length);
  return result;
}

function valueCodes({ codes, range, limits }, order) {
  const result = new Uint16Array(order.length);
  const perStep = (range[1] - range[0]) / (NO_VALUE - 1);
  const perBin = (VALUE_STEPS - 1) / Math.max(limits[1] - limits[0], Number.MIN_VALUE);
  for (let k = 0; k < result.length; k++) {
    const code = codes[order[k]];
    const bin = Math.round((range[0] + code * perStep - limits[0]) * perBin);
    result[k] = code === NO_VALUE ? VALUE_STEPS : Math.min(VALUE_STEPS - 1, Math.max(0, bin));
  }
  return result;
}

/**
 * The picture in words.
 * @param {{title: string, note: string, alt: string}} words
 * @param {number} cells
 * @param {number} selected
 * @param {Coloring} coloring
 * @param {Uint32Array} totals cells per level
 */
export function describe({ title, note, alt }, cells, selected, { column, categorical }, totals) {
  const number = (n) => n.toLocaleString("en");
  const remark = note ? ` (${note})` : "";
  const parts = [`${title}${remark}: ${number(cells)} cells coloured by ${column.name}`];
  if (categorical) {
    const counts = column.levels.map((level, j) => `${level} ${number(totals[j])}`);
    const more = counts.length > 10 ? `, and ${counts.length - 10} more levels` : "";
    parts.push(counts.slice(0, 10).join(", ") + more);
  }
  if (selected) parts.push(`${number(selected)} cells selected`);
  return `${parts.join(". ")}. ${alt}`.trim();
}
