// The controls above the pictures: everything that a mouse can do has a button here.

const TOOLS = [
  ["lasso", "Lasso", "Draw around cells to select them (Shift adds, Alt removes)"],
  ["box", "Box", "Drag a box to select cells (Shift adds, Alt removes)"],
  ["pan", "Move", "Drag to move the picture"],
];

/**
 * @typedef {object} ToolbarActions
 * @property {(tool: string) => void} tool
 * @property {(factor: number) => void} zoom
 * @property {() => void} reset
 * @property {(tied: boolean) => void} tie
 * @property {() => void} selectVisible
 * @property {() => void} clear
 */

export class Toolbar {
  /** @param {ToolbarActions} actions */
  constructor(actions) {
    this.element = document.createElement("div");
    this.element.className = "toolbar";
    this.element.setAttribute("role", "toolbar");
    this.element.setAttribute("aria-label", "Tools of the two pictures");

    /** @type {Record<string, HTMLButtonElement>} */
    this.tools = {};
    const tools = this.#group("Tool");
    for (const [tool, text, help] of TOOLS) {
      this.tools[tool] = this.#button(tools, text, help, () => actions.tool(tool));
    }
    const view = this.#group("View");
    this.#button(view, "+", "Zoom in", () => actions.zoom(1.5));
    this.#button(view, "−", "Zoom out", () => actions.zoom(1 / 1.5));
    this.#button(view, "Fit", "Show all cells (double-click)", actions.reset);

    const label = document.createElement("label");
    this.tie = document.createElement("input");
    this.tie.type = "checkbox";
    this.tie.addEventListener("change", () => actions.tie(this.tie.checked));
    label.append(this.tie, "Move both");
    label.title = "Zoom and move the two pictures together";

    const selection = this.#group("Selection");
    this.#button(selection, "Select view", "Select all cells in view", actions.selectVisible);
    this.clear = this.#button(selection, "Clear", "Select no cell (Escape)", actions.clear);
    this.status = document.createElement("span");
    this.status.className = "status";
    this.status.setAttribute("aria-live", "polite");
    this.element.append(tools, view, label, selection, this.status);
  }

  /**
   * @param {{tool: string, tied: boolean, selected: number, cells: number}} state
   */
  refresh({ tool, tied, selected, cells }) {
    for (const [name, button] of Object.entries(this.tools)) {
      button.setAttribute("aria-pressed", String(name === tool));
    }
    this.tie.checked = tied;
    this.clear.disabled = selected === 0;
    const share = Number(((100 * selected) / Math.max(cells, 1)).toPrecision(2));
    const all = `${cells.toLocaleString("en")} cells`;
    const hint = tool === "pan" ? "" : " · lasso some to follow them";
    this.status.textContent = selected
      ? `${selected.toLocaleString("en")} of ${all} selected (${share} %)`
      : all + hint;
  }

  #group(label) {
    const group = document.createElement("div");
    group.className = "group";
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", label);
    return group;
  }

  #button(group, text, help, act) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.title = help;
    if (text.length < 2) button.setAttribute("aria-label", help);
    button.addEventListener("click", act);
    group.append(button);
    return button;
  }
}
