// Colours: from CSS text to the 32-bit pixels of a canvas, and the page's own theme.

/** @typedef {[number, number, number]} Rgb */
/** @typedef {{background: Rgb, text: Rgb, dark: boolean}} Theme */

const MISSING_COLOR = /** @type {Rgb} */ ([150, 150, 150]);

// Low values lie close to the background and high ones far from it, in either theme.
const LIGHT_SCALE = ["#dfe3ea", "#b9c3e0", "#8f8fd0", "#7a55b8", "#6a1b8f", "#3d0a52"];
const DARK_SCALE = ["#3d4554", "#50558c", "#7a5fc0", "#b97ad9", "#f0a5d0", "#ffe9c9"];

const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

/**
 * Let the browser read any CSS colour.
 * @param {string} css
 * @returns {Rgb}
 */
export function parseColor(css) {
  probe.fillStyle = "#969696";
  probe.fillStyle = css;
  probe.fillRect(0, 0, 1, 1);
  const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
  return [r, g, b];
}

/** @param {Rgb} rgb @param {Rgb} onto @param {number} share of `rgb` @returns {Rgb} */
export function mix(rgb, onto, share) {
  return /** @type {Rgb} */ (rgb.map((value, i) => value * share + onto[i] * (1 - share)));
}

/** @param {Rgb} rgb @returns {number} opaque pixel as canvas memory holds it (little endian) */
export function pixel([r, g, b]) {
  return (0xff000000 | (b << 16) | (g << 8) | r) >>> 0;
}

/** @param {Rgb} rgb */
export function css([r, g, b]) {
  return `rgb(${Math.round(r)} ${Math.round(g)} ${Math.round(b)})`;
}

/**
 * Streamlit hands its theme down as CSS variables.
 * @param {HTMLElement} element
 * @returns {Theme}
 */
export function readTheme(element) {
  const style = getComputedStyle(element);
  const color = (name, otherwise) =>
    parseColor(style.getPropertyValue(name).trim() || otherwise);
  const background = color("--st-background-color", "white");
  return {
    background,
    text: color("--st-text-color", "black"),
    dark: background[0] + background[1] + background[2] < 384,
  };
}

/**
 * @param {string[]} stops CSS colours from low to high; none means the theme's own
 * @param {Theme} theme
 * @returns {string[]}
 */
export function scaleStops(stops, theme) {
  return stops.length ? stops : theme.dark ? DARK_SCALE : LIGHT_SCALE;
}

/**
 * @param {string[]} stops
 * @param {number} steps
 * @returns {Rgb[]} `steps` colours, evenly spaced along the scale
 */
export function scaleColors(stops, steps) {
  const anchors = stops.map(parseColor);
  return Array.from({ length: steps }, (_, i) => {
    const at = (i / Math.max(steps - 1, 1)) * (anchors.length - 1);
    const low = Math.min(Math.floor(at), anchors.length - 1);
    const high = Math.min(low + 1, anchors.length - 1);
    return mix(anchors[high], anchors[low], at - low);
  });
}

export { MISSING_COLOR };
