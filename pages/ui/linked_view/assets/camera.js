// Which part of the data a panel shows.
//
// A frame is a box in data units that holds a picture. A camera looks at a frame: its centre is
// a fraction of the frame's width and height away from the frame's centre. Two pictures with
// frames of different size can therefore share one camera.

/** @typedef {{x0: number, x1: number, y0: number, y1: number}} Frame */
/** @typedef {{cx: number, cy: number, zoom: number}} Camera */
/** @typedef {{scale: number, shift: number}} Transform pixel = scale * data + shift */

const MARGIN = 0.04;
const MAX_STRETCH = 1.3; // the axes of a layout have no unit, so filling the panel costs nothing
const MAX_ZOOM = 60;
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
  const longer = (box) => Math.max(box.x1 - box.x0, box.y1 - box.y0);
  return fits && 0.7 * longer(frame) <= longer(own) ? frame : own;
}

/**
 * @param {Frame} frame
 * @param {Camera} camera
 * @param {number} width of the panel
 * @param {number} height
 * @returns {{x: Transform, y: Transform}} y grows upwards in the data, downwards on the screen
 */
export function transforms(frame, camera, width, height) {
  const dataWidth = frame.x1 - frame.x0;
  const dataHeight = frame.y1 - frame.y0;
  const across = width / dataWidth;
  const down = height / dataHeight;
  const sx = camera.zoom * Math.min(across, MAX_STRETCH * down);
  const sy = camera.zoom * Math.min(down, MAX_STRETCH * across);
  const x = (frame.x0 + frame.x1) / 2 + camera.cx * dataWidth;
  const y = (frame.y0 + frame.y1) / 2 + camera.cy * dataHeight;
  return {
    x: { scale: sx, shift: width / 2 - sx * x },
    y: { scale: -sy, shift: height / 2 + sy * y },
  };
}

/**
 * Pixels that a whole frame takes on the screen.
 * @param {Frame} frame
 * @param {Camera} camera
 * @param {number} width of the panel
 * @param {number} height
 * @returns {[number, number]}
 */
export function extent(frame, camera, width, height) {
  const { x, y } = transforms(frame, camera, width, height);
  return [x.scale * (frame.x1 - frame.x0), -y.scale * (frame.y1 - frame.y0)];
}

/**
 * @param {Camera} camera
 * @param {number} dx pixels to the right
 * @param {number} dy pixels down
 * @param {[number, number]} extent
 * @returns {Camera}
 */
export function panned(camera, dx, dy, [width, height]) {
  return { ...camera, cx: camera.cx - dx / width, cy: camera.cy + dy / height };
}

/**
 * Zoom and keep the place under the pointer where it is.
 * @param {Camera} camera
 * @param {number} factor
 * @param {number} fromCentreX pixels from the panel's centre to the pointer
 * @param {number} fromCentreY
 * @param {[number, number]} extent
 * @returns {Camera}
 */
export function zoomed(camera, factor, fromCentreX, fromCentreY, [width, height]) {
  const zoom = Math.min(MAX_ZOOM, Math.max(MIN_ZOOM, camera.zoom * factor));
  const share = 1 - camera.zoom / zoom;
  return {
    zoom,
    cx: camera.cx + (fromCentreX * share) / width,
    cy: camera.cy - (fromCentreY * share) / height,
  };
}
