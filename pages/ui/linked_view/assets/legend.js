// The one legend of both pictures: what a colour means, how many cells, from which batches.

import { formatNumber, NO_VALUE } from "./messages.js";
import { css, MISSING_COLOR, scaleStops } from "./theme.js";

/** @typedef {import("./messages.js").Column} Column */

const SEARCH_ABOVE = 12; // levels

/** @param {string} tag @param {string} className @param {string} [text] */
function make(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

/** @param {string} className @param {string} text @param {string} label @param {() => void} act */
function button(className, text, label, act) {
  const element = make("button", className, text);
  element.type = "button";
  element.setAttribute("aria-label", label);
  element.title = label;
  element.addEventListener("click", act);
  return element;
}

/**
 * @typedef {object} LegendActions
 * @property {(level: number) => void} toggle
 * @property {(level: number) => void} isolate
 * @property {() => void} showAll
 * @property {(level: number) => void} select the cells of a level
 */

/**
 * Cells per level, and per level and batch. The last row counts cells without a level.
 * @param {Column} colour
 * @param {Column | null} batch
 */
export function countLevels(colour, batch) {
  const rows = colour.levels.length + 1;
  const columns = batch ? batch.levels.length : 0;
  const totals = new Uint32Array(rows);
  const byBatch = new Uint32Array(rows * columns);
  for (let i = 0; i < colour.codes.length; i++) {
    const row = Math.min(colour.codes[i], rows - 1);
    totals[row]++;
    if (columns && batch.codes[i] !== NO_VALUE) byBatch[row * columns + batch.codes[i]]++;
  }
  return { totals, byBatch, columns };
}

export class Legend {
  /** @param {LegendActions} actions */
  constructor(actions) {
    this.actions = actions;
    this.element = make("section", "legend");
    this.element.setAttribute("aria-label", "Legend");
    /** @type {HTMLElement[]} */
    this.rows = [];
  }

  /**
   * @param {Column} colour
   * @param {Column | null} batch
   * @param {import("./theme.js").Theme} theme
   */
  build(colour, batch, theme) {
    this.rows = [];
    const heading = make("h4", "name", colour.name);
    if (colour.kind === "values") {
      this.element.replaceChildren(heading, ...this.#scale(colour, theme));
      return;
    }
    const other = batch && batch.name !== colour.name ? batch : null;
    const counts = countLevels(colour, other);
    this.totals = counts.totals;
    const list = make("ul", "levels");
    colour.levels.forEach((level, j) => {
      const row = this.#row(level, j, colour.colors[j], counts, other);
      this.rows.push(row);
      list.append(row);
    });
    const missing = counts.totals[colour.levels.length];
    if (missing) {
      const row = this.#row("missing", colour.levels.length, css(MISSING_COLOR), counts, other);
      this.rows.push(row);
      list.append(row);
    }
    this.showAll = button("quiet", "Show all", "Show all levels", this.actions.showAll);
    heading.append(this.showAll);
    this.element.replaceChildren(heading);
    const many = colour.levels.length > SEARCH_ABOVE;
    if (many) this.element.append(this.#search(colour.levels.length));
    this.element.append(list);
    if (other) this.element.append(this.#table(colour, other, counts));
  }

  /**
   * @param {Set<number>} hidden levels
   * @param {Uint32Array | null} selection selected cells per level; null when none is
   */
  refresh(hidden, selection) {
    for (const row of this.rows) {
      const level = Number(row.dataset.level);
      const all = this.totals[level].toLocaleString("en");
      row.querySelector(".level").setAttribute("aria-pressed", String(!hidden.has(level)));
      row.querySelector(".count").textContent = selection
        ? `${selection[level].toLocaleString("en")} of ${all}`
        : all;
    }
    if (this.showAll) this.showAll.hidden = hidden.size === 0;
  }

  #row(level, j, color, { totals, byBatch, columns }, batch) {
    const row = make("li", "row");
    row.dataset.level = j;
    const toggle = make("button", "level");
    toggle.type = "button";
    toggle.title = `${level}\nClick to hide or show, double-click to see this one alone`;
    toggle.addEventListener("click", () => this.actions.toggle(j));
    const swatch = make("span", "swatch");
    swatch.style.background = color;
    toggle.append(swatch, make("span", "text", level), make("span", "count"));
    // Two clicks come before a double-click and undo each other.
    toggle.addEventListener("dblclick", () => this.actions.isolate(j));
    const more = make("span", "more");
    more.append(
      button("quiet", "only", `Show ${level} alone`, () => this.actions.isolate(j)),
      button("quiet", "select", `Select the cells of ${level}`, () => this.actions.select(j)),
    );
    row.append(toggle, more);
    if (batch && totals[j]) {
      const bar = make("span", "bar");
      const counts = batch.levels.map((_, b) => byBatch[j * columns + b]);
      const words = batch.levels.map((name, b) => `${name}: ${counts[b].toLocaleString("en")}`);
      bar.title = words.join("\n");
      counts.forEach((count, b) => {
        const part = make("span", "part");
        part.style.flexGrow = count;
        part.style.background = batch.colors[b] ?? css(MISSING_COLOR);
        bar.append(part);
      });
      row.append(bar);
    }
    return row;
  }

  #search(levels) {
    const input = make("input", "search");
    input.type = "search";
    input.placeholder = `Search ${levels} levels`;
    input.setAttribute("aria-label", "Search the legend");
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      for (const row of this.rows) {
        row.hidden = !row.querySelector(".text").textContent.toLowerCase().includes(wanted);
      }
    });
    return input;
  }

  #table(colour, batch, { totals, byBatch, columns }) {
    const details = make("details", "counts");
    details.append(make("summary", "", `Counts by ${batch.name}`));
    // Hundreds of levels times many batches are only built when somebody looks.
    details.addEventListener(
      "toggle",
      () => {
        const table = make("table", "");
        const head = make("tr", "");
        head.append(make("td", ""));
        batch.levels.forEach((name, b) => {
          const cell = make("th", "", name);
          // The bars under the levels have these colours.
          cell.style.borderBottom = `3px solid ${batch.colors[b] ?? css(MISSING_COLOR)}`;
          head.append(cell);
        });
        table.append(head);
        colour.levels.forEach((level, j) => {
          const row = make("tr", "");
          row.append(make("th", "", level));
          for (let b = 0; b < columns; b++) {
            row.append(make("td", "", byBatch[j * columns + b].toLocaleString("en")));
          }
          if (totals[j]) table.append(row);
        });
        const scroller = make("div", "scroller");
        scroller.append(table);
        details.append(scroller);
      },
      { once: true },
    );
    return details;
  }

  #scale(colour, theme) {
    const bar = make("div", "scale");
    const stops = scaleStops(colour.colors, theme).join(",");
    bar.style.background = `linear-gradient(to right, ${stops})`;
    const [low, high] = colour.limits;
    const ends = make("div", "ends");
    const beyond = (is, sign) => (is ? `${sign} ` : "");
    ends.append(
      make("span", "", beyond(colour.range[0] < low, "≤") + formatNumber(low)),
      make("span", "", beyond(colour.range[1] > high, "≥") + formatNumber(high)),
    );
    const missing = colour.codes.reduce((sum, code) => sum + (code === NO_VALUE ? 1 : 0), 0);
    const parts = [bar, ends];
    if (missing) {
      const words = `${missing.toLocaleString("en")} cells without a value`;
      parts.push(make("p", "missing", words));
    }
    return parts;
  }
}
