// How far some work is: a bar, and its step. The page's line moves it, no part is drawn for it.
const OVER = ["finished", "failed", "cancelled"];

/** @param {{data: object, parentElement: HTMLElement}} component */
export default function ({ data, parentElement }) {
  if (!parentElement.bar) {
    const bar = document.createElement("div");
    bar.className = "harmony-bar";
    bar.setAttribute("role", "progressbar");
    bar.setAttribute("aria-label", data.label);
    const text = document.createElement("p");
    const track = document.createElement("div");
    track.append(document.createElement("div"));
    bar.append(text, track);
    parentElement.append(bar);
  }
  const [root] = parentElement.getElementsByClassName("harmony-bar");
  const show = ({ state, step, fraction }) => {
    parentElement.bar.waits = !OVER.includes(state);
    root.hidden = !parentElement.bar.waits;
    root.firstChild.textContent = step || data.label;
    root.lastChild.firstChild.style.width = `${100 * fraction}%`;
    root.setAttribute("aria-valuenow", Math.round(100 * fraction));
  };
  parentElement.dataset.harmonyBar = data.work;
  parentElement.bar = { work: data.work, show };
  show(data.progress);
  document.dispatchEvent(new CustomEvent("harmony-ear", { detail: null }));
  return () => {
    delete parentElement.dataset.harmonyBar;
    delete parentElement.bar;
    root.remove();
  };
}
