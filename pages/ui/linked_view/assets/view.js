// The linked view: two panels, one legend, one selection. Streamlit calls the default export at
// the bottom with every new state of the page.

import { home, panned, zoomed } from "./camera.js";
import { Coloring, describe } from "./coloring.js";
import { attachGestures } from "./gestures.js";
import { Card } from "./hover.js";
import { Legend } from "./legend.js";
import { Panel } from "./panel.js";
import { Inbox } from "./inbox.js";
import { randomOrder, readColumns, readPositions } from "./messages.js";
import { combine, fromBits, insidePolygon, toBits } from "./selection.js";
import { css, pixel, readTheme } from "./theme.js";
import { Toolbar } from "./toolbar.js";

const SIDES = /** @type {const} */ (["left", "right"]);
const KEYBOARD_REACH = 60; // pixels around the crosshair

/**
 * What the user has set. It outlives the elements: Streamlit may rebuild them when the page
 * around them changes.
 * @typedef {object} Settings
 * @property {Record<"left" | "right", import("./camera.js").Camera>} cameras
 * @property {boolean} tied
 * @property {string} tool
 * @property {Map<string, Set<number>>} hidden levels by colouring
 */

/** @type {Map<string, Settings>} by the view's key */
const remembered = new Map();

class LinkedView {
  /** @param {HTMLElement} host */
  constructor(host) {
    this.root = document.createElement("div");
    this.root.className = "hx-linked-view";
    // Until the first cells are here there is nothing that a hand could move.
    this.root.hidden = true;
    this.panels = { left: new Panel("left"), right: new Panel("right") };
    this.toolbar = new Toolbar({
      tool: (tool) => this.#set({ tool }),
      zoom: (factor) => this.#zoomCentre(factor),
      reset: () => this.#look(this.steered, home()),
      tie: (tied) => {
        this.#set({ tied });
        if (tied) this.#look(this.steered, this.settings.cameras[this.steered]);
      },
      selectVisible: () => this.#selectVisible(),
      clear: () => this.#select(null),
    });
    this.legend = new Legend({
      toggle: (level) => this.#toggleLevel(level),
      isolate: (level) => this.#isolateLevel(level),
      showAll: () => this.#hide(new Set()),
      select: (level) => this.#select(this.coloring.cellsOf(level)),
    });
    const panels = document.createElement("div");
    panels.className = "panels";
    panels.append(this.panels.left.figure, this.panels.right.figure);
    const body = document.createElement("div");
    body.className = "body";
    body.append(panels, this.legend.element);
    this.root.append(this.toolbar.element, body);
    this.card = new Card(this.root);
    host.append(this.root);

    /** The panel that the toolbar and the keys act on. @type {"left" | "right"} */
    this.steered = "left";
    /** @type {Uint8Array | null} in draw order */
    this.selection = null;
    this.selectedCount = 0;
    this.token = -1;
    this.request = 0;
    for (const side of SIDES) attachGestures(this.panels[side].stage, this.#handlers(side));
    this.observer = new ResizeObserver(() => this.#schedule());
    this.observer.observe(panels);
    this.inbox = new Inbox((state, fresh) => this.#apply(state, fresh));
  }

  dispose() {
    this.observer.disconnect();
    this.inbox.close();
    cancelAnimationFrame(this.request);
    this.root.remove();
  }

  /**
   * @param {string} address under which the state arrives
   * @param {(name: string, value: unknown) => void} report
   */
  receive(address, report) {
    this.report = report;
    this.inbox.receive(address);
  }

  /** Take over a state, with its messages that are new. */
  #apply(data, fresh) {
    this.data = data;
    this.settings = remembered.get(data.key) ?? {
      cameras: { left: home(), right: home() },
      tied: data.tied,
      tool: "lasso",
      hidden: new Map(),
    };
    remembered.set(data.key, this.settings);
    this.root.hidden = false;

    if (this.order?.length !== data.cells) {
      this.order = randomOrder(data.cells);
      this.selection = null;
    }
    this.root.style.setProperty("--hx-height", `${data.height}px`);
    this.root.classList.toggle("presentation", data.presentation);
    if (fresh.colour) {
      [this.colour] = readColumns(fresh.colour);
      this.coloring = new Coloring(this.colour, this.order);
    }
    if (fresh.facts) {
      const facts = readColumns(fresh.facts);
      this.batch = facts.find(({ role }) => role === "") ?? null;
      this.facts = facts.filter(({ role }) => role !== "");
    }
    if (fresh["more facts"]) this.moreFacts = readColumns(fresh["more facts"]);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    for (const side of SIDES) {
      const panel = this.panels[side];
      panel.title.textContent = data[side].title;
      panel.note.textContent = data[side].note;
      panel.note.hidden = !data[side].note;
      panel.figure.classList.toggle("dimmed", data[side].dimmed);
      if (fresh[side]) {
        const positions = readPositions(fresh[side], this.order);
        panel.moveTo(positions, this.settings.cameras[side], data.animate && !still);
      }
    }
    const dark = this.theme?.dark;
    this.theme = readTheme(this.root);
    // Rebuilt only when it must be: somebody may be typing into its search box.
    if (fresh.colour || fresh.facts || dark !== this.theme.dark) {
      this.legend.build(this.colour, this.batch, this.theme);
    }
    if (data.selection.token !== this.token) {
      this.token = data.selection.token;
      this.#take(fromBits(data.selection.bits, this.order));
    }
    this.#refresh();
  }

  get hidden() {
    return this.settings.hidden.get(this.coloring.id) ?? new Set();
  }

  /** Everything that follows from the settings: colours, controls, text alternative, pixels. */
  #refresh() {
    this.scene = {
      codes: this.coloring.codes,
      ...this.coloring.tables(this.theme, this.hidden),
      selection: this.selection,
      background: pixel(this.theme.background),
    };
    this.legend.refresh(this.hidden, this.coloring.selectedByLevel(this.selection));
    this.toolbar.refresh({
      tool: this.settings.tool,
      tied: this.settings.tied,
      selected: this.selectedCount,
      cells: this.data.cells,
    });
    this.root.dataset.tool = this.settings.tool;
    this.root.dataset.selected = String(this.selectedCount);
    for (const side of SIDES) {
      const words = describe(
        this.data[side],
        this.data.cells,
        this.selectedCount,
        this.coloring,
        this.legend.totals,
      );
      this.panels[side].canvas.setAttribute("aria-label", words);
      this.panels[side].stale = true;
    }
    this.#schedule();
  }

  /** @param {Partial<Settings>} change */
  #set(change) {
    Object.assign(this.settings, change);
    this.#refresh();
  }

  /** @param {Set<number>} hidden */
  #hide(hidden) {
    this.settings.hidden.set(this.coloring.id, hidden);
    this.#refresh();
  }

  #toggleLevel(level) {
    const hidden = new Set(this.hidden);
    if (!hidden.delete(level)) hidden.add(level);
    this.#hide(hidden);
  }

  /** Show one level alone; when it already is alone, show all again. */
  #isolateLevel(level) {
    const others = new Set([...this.legend.rows].map((row) => Number(row.dataset.level)));
    others.delete(level);
    const alone = !this.hidden.has(level) && [...others].every((other) => this.hidden.has(other));
    this.#hide(alone ? new Set() : others);
  }

  /** @param {Uint8Array | null} selection */
  #take(selection) {
    this.selectedCount = selection ? selection.reduce((sum, bit) => sum + bit, 0) : 0;
    this.selection = this.selectedCount ? selection : null;
  }

  /** The user selects: show it at once, then tell Python. @param {Uint8Array | null} selection */
  #select(selection) {
    this.#take(selection);
    this.#refresh();
    // After the next paint, so that the highlight does not wait for the message.
    requestAnimationFrame(() => {
      const bits = this.selection ? toBits(this.selection, this.order) : "";
      this.report("selection", { token: this.token, bits });
    });
  }

  /**
   * @param {"left" | "right"} side
   * @param {[number, number][]} path CSS pixels
   * @param {"replace" | "add" | "remove"} how
   */
  #selectInside(side, path, how) {
    const panel = this.panels[side];
    if (!panel.points) return;
    const { x, y } = panel.transforms(this.settings.cameras[side]);
    const polygon = path.map(([px, py]) => [(px - x.shift) / x.scale, (py - y.shift) / y.scale]);
    const inside = insidePolygon(panel.points.x, panel.points.y, polygon);
    const { codes, lut } = this.scene;
    const visible = (k) => lut[codes[k]] !== 0;
    this.#select(combine(inside, visible, this.selection, how));
  }

  #selectVisible() {
    const { width, height } = this.panels[this.steered];
    const view = [
      [0, 0],
      [width, 0],
      [width, height],
      [0, height],
    ];
    this.#selectInside(this.steered, view, "replace");
  }

  /** @param {"left" | "right"} side @param {import("./camera.js").Camera} camera */
  #look(side, camera) {
    for (const other of this.settings.tied ? SIDES : [side]) {
      this.settings.cameras[other] = camera;
      this.panels[other].lastMove = performance.now();
    }
    this.#schedule();
  }

  #zoomCentre(factor) {
    const camera = this.settings.cameras[this.steered];
    const extent = this.panels[this.steered].extent(camera);
    this.#look(this.steered, zoomed(camera, factor, 0, 0, extent));
  }

  /** @param {"left" | "right"} side @returns {import("./gestures.js").Handlers} */
  #handlers(side) {
    const panel = this.panels[side];
    const camera = () => this.settings.cameras[side];
    return {
      mode: () => this.settings.tool,
      pan: (dx, dy) => this.#look(side, panned(camera(), dx, dy, panel.extent(camera()))),
      zoom: (factor, x, y) => {
        const [dx, dy] = [x - panel.width / 2, y - panel.height / 2];
        this.#look(side, zoomed(camera(), factor, dx, dy, panel.extent(camera())));
      },
      reset: () => this.#look(side, home()),
      drawing: (path) => {
        panel.marks.path = path;
        this.#mark();
      },
      select: (path, how) => this.#selectInside(side, path, how),
      hover: (place) => {
        const cell = place ? panel.pick(camera(), place.x, place.y, this.scene) : -1;
        this.#point(side, cell, place);
      },
      clear: () => this.#select(null),
      focus: (keyboard) => {
        this.steered = side;
        panel.marks.crosshair = keyboard;
        const centre = { x: panel.width / 2, y: panel.height / 2 };
        const cell = keyboard
          ? panel.pick(camera(), centre.x, centre.y, this.scene, KEYBOARD_REACH)
          : -1;
        this.#point(side, cell, centre);
      },
    };
  }

  /** Ring one cell in both pictures and name it. */
  #point(side, cell, place) {
    for (const other of SIDES) this.panels[other].marks.cell = cell;
    if (cell < 0) {
      this.card.hide();
    } else {
      const stage = this.panels[side].stage.getBoundingClientRect();
      const root = this.root.getBoundingClientRect();
      const known = [...this.facts, ...this.moreFacts];
      const facts = known.filter(({ name }) => name !== this.colour.name);
      this.card.show(this.order[cell], [this.colour, ...facts], {
        x: stage.left - root.left + place.x,
        y: stage.top - root.top + place.y,
      });
    }
    this.#mark();
  }

  #mark() {
    const ink = css(this.theme.text);
    const paper = css(this.theme.background);
    for (const side of SIDES) this.panels[side].mark(this.settings.cameras[side], ink, paper);
  }

  /** Paint what is stale at the next frame, and go on while anything moves. */
  #schedule() {
    if (this.request || !this.scene) return;
    this.request = requestAnimationFrame((now) => {
      this.request = 0;
      const enlarge = this.data.presentation ? 1.5 : 1;
      for (const side of SIDES) {
        const panel = this.panels[side];
        const resized = panel.measure();
        panel.step(now);
        if (!resized && !panel.stale && !panel.moving) continue;
        panel.paint(this.settings.cameras[side], this.scene, enlarge);
        // Says which cells are on the screen, at rest; the tests and the benchmark wait for it.
        panel.figure.dataset.painted = panel.stale ? "" : this.inbox.used[side];
      }
      this.#mark();
      if (SIDES.some((side) => this.panels[side].stale)) this.#schedule();
    });
  }
}

/** @type {WeakMap<HTMLElement, LinkedView>} */
const views = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  if (!views.has(parentElement)) views.set(parentElement, new LinkedView(parentElement));
  views.get(parentElement).receive(data.state, setStateValue);
  return () => {
    views.get(parentElement)?.dispose();
    views.delete(parentElement);
  };
}
