// Light or dark: as the system says, until the reader says otherwise.

import { $, refill, svg } from "./dom.js";

const KEPT_AS = "trimtab-theme";
const ICONS = {
  light: ["M12 7.5a4.5 4.5 0 1 1 0 9a4.5 4.5 0 1 1 0-9z", "M12 2v2.5M12 19.5V22M2 12h2.5M19.5 12H22M5 5l1.8 1.8M17.2 17.2L19 19M5 19l1.8-1.8M17.2 6.8L19 5"],
  dark: ["M20 14.5A8.5 8.5 0 0 1 9.5 4A8.5 8.5 0 1 0 20 14.5z"],
};
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set();

export function onTheme(act) {
  listeners.add(act);
  return () => listeners.delete(act);
}

function current() {
  return localStorage.getItem(KEPT_AS) ?? (system.matches ? "dark" : "light");
}

function apply() {
  const now = current();
  document.documentElement.dataset.theme = now;
  const other = now === "dark" ? "light" : "dark";
  const button = $("theme");
  refill(button, svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, ICONS[other].map((d) => svg("path", { d }))));
  button.setAttribute("aria-label", `Switch to ${other} colours`);
  button.title = `Switch to ${other} colours`;
  for (const act of listeners) act();
}

export function begin() {
  $("theme").addEventListener("click", () => {
    localStorage.setItem(KEPT_AS, current() === "dark" ? "light" : "dark");
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
