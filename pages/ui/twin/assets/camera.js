// Which part of the data a panel shows.
//
// A frame is a box in data units that holds a picture. A camera looks at a frame: its centre is
// a fraction of the frame's longer side away from the frame's centre. Two pictures with frames
// of different size can therefore share one camera.

/** @typedef {{x0: number, x1: number, y0: number, y1: number}} Frame */
/** @typedef {{cx: number, cy: number, zoom: number}} Camera */
/** @typedef {{scale: number, shift: number}} Transform pixel = scale * data + shift */

const MARGIN = 0.04;
export const MAX_ZOOM = 60;
const MIN_ZOOM = 0.5;

/** @returns {Camera} */
export const home = () => ({ cx: 0, cy: 0, zoom: 1 });

/** @param {Camera} camera */
export const isHome = ({ cx, cy, zoom }) => cx === 0 && cy === 0 && zoom === 1;

/** @param {number[]} bounds @returns {Frame} */
function frameOf([x0, x1, y0, y1]) {
  const pad = MARGIN * Math.max(x1 - x0, y1 - y0, 1e-9);
  return { x0: x0 - pad, x1: x1 + pad, y0: y0 - pad, y1: y1 + pad };
}

/**
 * Keep the frame while the new data fit it and fill most of it: what moves on the screen is then
 * the cells alone. Someone who has zoomed in is never moved.
 * @param {Frame | null} frame
 * @param {number[]} bounds of the new data
 * @param {boolean} zoomed
 * @returns {Frame}
 */
export function nextFrame(frame, bounds, zoomed) {
  const own = frameOf(bounds);
  if (!frame) return own;
  if (zoomed) return frame;
  const [x0, x1, y0, y1] = bounds;
  const fits = x0 >= frame.x0 && x1 <= frame.x1 && y0 >= frame.y0 && y1 <= frame.y1;
  const fills = 0.7 * longerSide(frame) <= longerSide(own);
  return fits && fills ? frame : own;
}

/** @param {Frame} frame */
export const longerSide = ({ x0, x1, y0, y1 }) => Math.max(x1 - x0, y1 - y0);

/**
 * @param {Frame} frame
 * @param {Camera} camera
 * @param {number} width of the panel
 * @param {number} height
 * @returns {{x: Transform, y: Transform}} one scale for both axes; y grows upwards in data
 */
export function transforms(frame, camera, width, height) {
  const scale =
    camera.zoom * Math.min(width / (frame.x1 - frame.x0), height / (frame.y1 - frame.y0));
  const side = longerSide(frame);
  const x = (frame.x0 + frame.x1) / 2 + camera.cx * side;
  const y = (frame.y0 + frame.y1) / 2 + camera.cy * side;
  return {
    x: { scale, shift: width / 2 - scale * x },
    y: { scale: -scale, shift: height / 2 + scale * y },
  };
}

/**
 * @param {Camera} camera
 * @param {number} dx pixels to the right
 * @param {number} dy pixels down
 * @param {number} perSide pixels that the frame's longer side takes on the screen
 * @returns {Camera}
 */
export function panned(camera, dx, dy, perSide) {
  return { ...camera, cx: camera.cx - dx / perSide, cy: camera.cy + dy / perSide };
}

/**
 * Zoom and keep the place under the pointer where it is.
 * @param {Camera} camera
 * @param {number} factor
 * @param {number} fromCentreX pixels from the panel's centre to the pointer
 * @param {number} fromCentreY
 * @param {number} perSide
 * @returns {Camera}
 */
export function zoomed(camera, factor, fromCentreX, fromCentreY, perSide) {
  const zoom = Math.min(MAX_ZOOM, Math.max(MIN_ZOOM, camera.zoom * factor));
  const shift = 1 / perSide - camera.zoom / (perSide * zoom);
  return {
    zoom,
    cx: camera.cx + fromCentreX * shift,
    cy: camera.cy - fromCentreY * shift,
  };
}
