// Streamlit adds an entry to the browser's history for each address that a page writes. What a page
// writes by itself, before the viewer has touched it, belongs to the entry that is there: Back would
// otherwise lead to the same page without settings first.

const TOUCHES = ["pointerdown", "keydown", "click"];

export default function () {
  const push = history.pushState;
  let isTouched = false; // since the viewer came to this page
  const touch = (event) => {
    isTouched ||= event.isTrusted; // the line's own clicks are not
  };
  const arrive = () => {
    isTouched = false;
  };
  history.pushState = (state, unused, url) => {
    const isSamePage = new URL(url, location).pathname === location.pathname;
    if (isSamePage && !isTouched) history.replaceState(state, unused, url);
    else push.call(history, state, unused, url);
    if (!isSamePage) arrive();
  };
  for (const kind of TOUCHES) window.addEventListener(kind, touch, true);
  window.addEventListener("popstate", arrive);
  return () => {
    history.pushState = push;
    for (const kind of TOUCHES) window.removeEventListener(kind, touch, true);
    window.removeEventListener("popstate", arrive);
  };
}
