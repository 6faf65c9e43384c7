// The card that names the cell under the pointer. All text is set as text, never as markup.

/** @typedef {import("./messages.js").Column} Column */

export class Card {
  /** @param {HTMLElement} host */
  constructor(host) {
    this.host = host;
    this.element = document.createElement("dl");
    this.element.className = "card";
    this.element.setAttribute("role", "status");
    this.element.hidden = true;
    host.append(this.element);
  }

  hide() {
    this.element.hidden = true;
  }

  /**
   * @param {number} cell
   * @param {Column[]} columns
   * @param {{x: number, y: number}} place within the host, in CSS pixels
   */
  show(cell, columns, place) {
    this.element.replaceChildren(
      ...columns.flatMap((column) => {
        const name = document.createElement("dt");
        name.textContent = column.name;
        const value = document.createElement("dd");
        value.textContent = column.at(cell);
        return [name, value];
      }),
    );
    this.element.hidden = false;
    // Keep the card within the view, and beside the pointer rather than under it.
    const { clientWidth, clientHeight } = this.host;
    const { offsetWidth, offsetHeight } = this.element;
    const fits = place.x + 16 + offsetWidth <= clientWidth;
    const beside = fits ? place.x + 16 : place.x - 16 - offsetWidth;
    const top = Math.min(place.y + 12, clientHeight - offsetHeight);
    this.element.style.left = `${Math.max(0, beside)}px`;
    this.element.style.top = `${Math.max(0, top)}px`;
  }
}
