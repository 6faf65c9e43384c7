// An unseen element in a part: what the part waits for, and how it is asked to draw itself again.
/** @param {{data: object, parentElement: HTMLElement, setTriggerValue: Function}} component */
export default function ({ data, parentElement, setTriggerValue }) {
  const { part, setting, waits } = data;
  Object.assign(parentElement.dataset, { part, setting, waits });
  parentElement.ear = { ...data, ask: () => setTriggerValue("heard", Date.now()) };
  document.dispatchEvent(new CustomEvent("harmony-ear", { detail: parentElement.ear }));
  return () => {
    delete parentElement.dataset.part;
    delete parentElement.ear;
  };
}
