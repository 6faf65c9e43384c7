// Genes on the layouts: each gene before and, beside it, after. Only positions differ: expression
// is not corrected. Cells with most of a gene are painted last, on top.

import { home, nextFrame, transforms } from "../../linked_view/assets/camera.js";
import { Coloring } from "../../linked_view/assets/coloring.js";
import { Inbox } from "../../linked_view/assets/inbox.js";
import { NO_VALUE, randomOrder } from "../../linked_view/assets/messages.js";
import { readColumns, readPositions } from "../../linked_view/assets/messages.js";
import { Painter, pointStyle } from "../../linked_view/assets/painter.js";
import { pixel, readTheme } from "../../linked_view/assets/theme.js";

const SIDES = /** @type {const} */ (["before", "after"]);
const NOTHING_HIDDEN = new Set();

class GeneView {
  /** @param {HTMLElement} host */
  constructor(host) {
    this.root = document.createElement("div");
    this.root.className = "hx-gene-view";
    this.grid = document.createElement("div");
    this.grid.className = "genes";
    this.notes = document.createElement("p");
    this.root.append(this.grid, this.notes);
    host.append(this.root);
    /** @type {Record<string, import("../../linked_view/assets/messages.js").Message>} by part */
    this.parts = {};
    this.request = 0;
    this.observer = new ResizeObserver(() => this.#schedule());
    this.observer.observe(this.grid);
    this.inbox = new Inbox((state, fresh) => this.#apply(state, fresh));
  }

  dispose() {
    this.observer.disconnect();
    this.inbox.close();
    cancelAnimationFrame(this.request);
    this.root.remove();
  }

  /** Take over a state, with its messages that are new. */
  #apply(state, fresh) {
    delete this.root.dataset.setting; // until it is painted
    Object.assign(this.parts, fresh);
    this.state = state;
    this.notes.textContent = state.notes.join(" ");
    this.grid.style.setProperty("--hx-columns", String(state.columns));
    this.#build();
    this.#schedule();
  }

  /** One figure a gene. */
  #build() {
    const { cells, bounds } = this.state;
    const order = randomOrder(cells); // among cells of equal value
    this.figures = readColumns(this.parts.genes).map((column) => {
      const height = (cell) => (column.codes[cell] === NO_VALUE ? -1 : column.codes[cell]);
      const byValue = order.slice().sort((a, b) => height(a) - height(b));
      return { title: column.name, coloring: new Coloring(column, byValue), order: byValue };
    });
    this.grid.replaceChildren(
      ...this.figures.map((figure) => {
        const element = document.createElement("figure");
        const caption = document.createElement("figcaption");
        caption.textContent = figure.title;
        const pair = document.createElement("div");
        pair.className = "pair";
        figure.pictures = SIDES.map((side) => {
          const canvas = document.createElement("canvas");
          canvas.setAttribute("role", "img");
          canvas.setAttribute("aria-label", `${figure.title}, ${side} correction`);
          const label = document.createElement("span");
          label.textContent = side;
          const place = document.createElement("div");
          place.append(canvas, label);
          pair.append(place);
          const points = readPositions(this.parts[side], figure.order);
          const frame = nextFrame(null, bounds[side], false);
          return { canvas, painter: new Painter(canvas), points, frame };
        });
        element.append(caption, pair);
        return element;
      }),
    );
  }

  #schedule() {
    cancelAnimationFrame(this.request);
    this.request = requestAnimationFrame(() => this.#paint());
  }

  #paint() {
    if (!this.figures) return;
    const theme = readTheme(this.root);
    const density = window.devicePixelRatio || 1;
    for (const { coloring, pictures } of this.figures) {
      const look = { ...coloring.tables(theme, NOTHING_HIDDEN), codes: coloring.codes };
      for (const { canvas, painter, points, frame } of pictures) {
        const { clientWidth: width, clientHeight: height } = canvas;
        if (!width || !height) return; // painted once there is room
        canvas.width = Math.round(width * density);
        canvas.height = Math.round(height * density);
        const { x, y } = points ?? { x: [], y: [] };
        const to = transforms(frame, home(), width, height);
        const style = pointStyle(x.length, width, height, 1);
        painter.paint({
          ...look,
          x,
          y,
          selection: null,
          count: x.length,
          radius: style.radius * density,
          opacity: style.opacity,
          background: pixel(theme.background),
          tx: { scale: to.x.scale * density, shift: to.x.shift * density },
          ty: { scale: to.y.scale * density, shift: to.y.shift * density },
        });
      }
    }
    this.root.dataset.setting = this.state.setting;
  }
}

/** @type {WeakMap<HTMLElement, GeneView>} */
const views = new WeakMap();

/** @param {{data: {state: string}, parentElement: HTMLElement}} component */
export default function ({ data, parentElement }) {
  let view = views.get(parentElement);
  if (!view) {
    view = new GeneView(parentElement);
    views.set(parentElement, view);
  }
  view.inbox.receive(data.state);
  return () => {
    view.dispose();
    views.delete(parentElement);
  };
}
