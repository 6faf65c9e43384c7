// An unseen element that holds one parcel of cells until the view asks for it by its digest.

const DIGEST_LENGTH = 16;

/** @param {{data: Uint8Array, parentElement: HTMLElement}} component */
export default function ({ data, parentElement }) {
  const digest = String.fromCharCode(...data.subarray(0, DIGEST_LENGTH));
  parentElement.dataset.twinParcel = digest;
  parentElement.twinParcel = data;
  // The view may have asked already: Streamlit gives no order in which elements come alive.
  document.dispatchEvent(new CustomEvent("twin-parcel"));
}
