// Elements out of plain data. Text is only ever set as text, so nothing that a client has named can become markup.

const SVG = "http://www.w3.org/2000/svg";

// Why: a name with a direction mark or a control character must not disguise itself as another.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

// Text with its control, direction and zero-width characters written out.
export function visible(text) {
  return String(text).replace(UNSEEN, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function give(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [kind, act] of Object.entries(value)) element.addEventListener(kind, act);
    else if (name === "style") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
    else if (name === "value") element.value = value;
    else if (name === "title" || name === "aria-label") element.setAttribute(name, visible(value));
    else element.setAttribute(name, value === true ? "" : value);
  }
}

function fill(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : visible(child));
  }
  return element;
}

export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  give(element, props);
  return fill(element, children);
}

export function svg(tag, props = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  give(element, props);
  return fill(element, children);
}

export function refill(element, ...children) {
  element.replaceChildren();
  return fill(element, children);
}

// Sets text only where it differs, so that a quiet figure costs nothing.
export function say(element, text) {
  const shown = visible(text);
  if (element.textContent !== shown) element.textContent = shown;
}

// A name that others have chosen: kept apart in direction, and cut with its whole text at hand.
export function named(text, props = {}) {
  return h("bdi", { title: text, ...props }, text ?? "–");
}

export const $ = (id) => document.getElementById(id);
