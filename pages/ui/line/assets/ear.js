export default function (component) {
  const element = component.parentElement;
  element.component = { ...component };
  element.dataset.ear = component.data.key;
  document.dispatchEvent(new CustomEvent("harmony-ear", { detail: element }));
  return () => delete element.dataset.ear;
}
