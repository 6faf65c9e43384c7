// What a hand does on a panel: drag, lasso, box, pinch, wheel, keys.

const MIN_STEP = 3; // pixels between two corners of a lasso
const KEY_STEP = 40;
const KEY_ZOOM = 1.25;

/**
 * @typedef {object} Handlers
 * @property {() => "lasso" | "box" | "pan"} mode
 * @property {(dx: number, dy: number) => void} pan pixels
 * @property {(factor: number, x: number, y: number) => void} zoom about a place in pixels
 * @property {() => void} reset
 * @property {(path: [number, number][]) => void} drawing the outline so far; empty ends it
 * @property {(path: [number, number][], how: "replace" | "add" | "remove") => void} select
 * @property {(place: {x: number, y: number} | null) => void} hover
 * @property {() => void} clear
 * @property {(keyboard: boolean) => void} focus whether the panel is steered by keys
 */

/** @param {[number, number]} a @param {[number, number]} b @returns {[number, number][]} */
const corners = ([x0, y0], [x1, y1]) => [
  [x0, y0],
  [x1, y0],
  [x1, y1],
  [x0, y1],
];

/**
 * @param {HTMLElement} stage
 * @param {Handlers} on
 */
export function attachGestures(stage, on) {
  let hinting = 0;
  const hint = () => {
    stage.dataset.hint = "Click the picture, then scroll to zoom";
    clearTimeout(hinting);
    hinting = setTimeout(() => delete stage.dataset.hint, 1500);
  };

  /** @type {Map<number, [number, number]>} pointers that are down */
  const down = new Map();
  /** @type {{kind: string, path: [number, number][]} | null} */
  let drag = null;

  /** @param {MouseEvent} event @returns {[number, number]} */
  const place = (event) => {
    const box = stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  stage.addEventListener("pointerdown", (event) => {
    if (event.button > 2) return;
    stage.setPointerCapture(event.pointerId);
    down.set(event.pointerId, place(event));
    on.hover(null);
    if (down.size > 1) {
      on.drawing([]);
      drag = { kind: "pinch", path: [] };
    } else {
      // The middle and the right button pan whatever the tool is.
      const kind = event.button > 0 ? "pan" : on.mode();
      drag = { kind, path: [place(event)] };
    }
  });

  stage.addEventListener("pointermove", (event) => {
    const at = place(event);
    const before = down.get(event.pointerId);
    if (!before || !drag) {
      on.hover({ x: at[0], y: at[1] });
      return;
    }
    if (drag.kind === "pinch") {
      const [other] = [...down].filter(([id]) => id !== event.pointerId).map(([, p]) => p);
      if (other) {
        const apart = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]);
        const middle = [(at[0] + other[0]) / 2, (at[1] + other[1]) / 2];
        on.pan((at[0] - before[0]) / 2, (at[1] - before[1]) / 2);
        on.zoom(apart(at) / Math.max(apart(before), 1), middle[0], middle[1]);
      }
    } else if (drag.kind === "pan") {
      on.pan(at[0] - before[0], at[1] - before[1]);
    } else if (drag.kind === "box") {
      drag.path = corners(drag.path[0], at);
      on.drawing(drag.path);
    } else {
      const last = drag.path[drag.path.length - 1];
      if (Math.hypot(at[0] - last[0], at[1] - last[1]) >= MIN_STEP) drag.path.push(at);
      on.drawing(drag.path);
    }
    down.set(event.pointerId, at);
  });

  stage.addEventListener("pointerup", (event) => {
    down.delete(event.pointerId);
    const done = drag;
    if (down.size === 0) drag = null;
    on.drawing([]);
    if (done && ["lasso", "box"].includes(done.kind) && done.path.length > 2) {
      on.select(done.path, event.shiftKey ? "add" : event.altKey ? "remove" : "replace");
    }
  });

  stage.addEventListener("pointercancel", (event) => {
    down.delete(event.pointerId);
    drag = null;
    on.drawing([]);
  });

  stage.addEventListener("pointerleave", () => on.hover(null));
  stage.addEventListener("dblclick", () => on.reset());
  stage.addEventListener("contextmenu", (event) => event.preventDefault());

  stage.addEventListener(
    "wheel",
    (event) => {
      // A page that scrolls under the pointer must not be trapped by a picture on its way.
      if (!stage.contains(document.activeElement) && !event.ctrlKey && !event.metaKey) {
        hint();
        return;
      }
      event.preventDefault();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
      const [x, y] = place(event);
      on.zoom(Math.exp(-event.deltaY * lines * 0.002), x, y);
    },
    { passive: false },
  );

  const centre = () => [stage.clientWidth / 2, stage.clientHeight / 2];
  const zoomBy = (factor) => on.zoom(factor, ...centre());
  const keys = {
    ArrowLeft: () => on.pan(KEY_STEP, 0),
    ArrowRight: () => on.pan(-KEY_STEP, 0),
    ArrowUp: () => on.pan(0, KEY_STEP),
    ArrowDown: () => on.pan(0, -KEY_STEP),
    "+": () => zoomBy(KEY_ZOOM),
    "=": () => zoomBy(KEY_ZOOM),
    "-": () => zoomBy(1 / KEY_ZOOM),
    0: () => on.reset(),
    Escape: () => on.clear(),
  };
  stage.addEventListener("keydown", (event) => {
    const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
    on.focus(true);
  });
  stage.addEventListener("focusin", () => on.focus(stage.querySelector(":focus-visible") !== null));
  stage.addEventListener("focusout", () => on.focus(false));
}
