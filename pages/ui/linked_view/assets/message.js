// An unseen element that holds one message until the view asks for it by its address.

const ADDRESS_LENGTH = 16;

/** @param {{data: Uint8Array, parentElement: HTMLElement}} component */
export default function ({ data, parentElement }) {
  const address = String.fromCharCode(...data.subarray(0, ADDRESS_LENGTH));
  parentElement.dataset.linkedViewMessage = address;
  parentElement.linkedViewMessage = data;
  // The view may have asked already: Streamlit gives no order in which elements come alive.
  document.dispatchEvent(new CustomEvent("linked-view-message"));
  return () => {
    // Where the page around it changes, Streamlit makes a new element before it removes the old
    // one; until then the view may have found the old one under the same address.
    delete parentElement.dataset.linkedViewMessage;
    document.dispatchEvent(new CustomEvent("linked-view-message"));
  };
}
