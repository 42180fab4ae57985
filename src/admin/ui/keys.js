// The keyboard: g and a letter goes to a page, / to its search, ? tells all of them.

import { $, h } from "./dom.js";
import { told } from "./dialog.js";

// Time in which the second key of two must follow.
const PAIR_MS = 1_200;

export function listen(pages) {
  let since = 0;
  const help = () => {
    if (document.querySelector("dialog[open]")) return;
    const rows = [
      ...pages.map((page) => [["g", page.key], page.label]),
      [["/"], "Search or filter on this page"],
      [["["], "Shorter time window"],
      [["]"], "Longer time window"],
      [["?"], "This list"],
      [["Esc"], "Close, or leave a field"],
    ];
    told(
      "Keyboard shortcuts",
      h("div", { class: "keys" }, rows.map(([keys, what]) => [h("span", { class: "row" }, keys.map((key) => h("kbd", {}, key))), h("span", {}, what)])),
    );
  };
  $("help").addEventListener("click", help);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest?.("input, select, textarea, dialog");
    if (event.key === "Escape" && event.target.matches?.("input, select")) event.target.blur();
    if (typing) return;
    const paired = performance.now() - since < PAIR_MS;
    since = 0;
    const page = paired && pages.find((one) => one.key === event.key);
    if (page) location.hash = `#/${page.name}`;
    else if (event.key === "g") since = performance.now();
    else if (event.key === "/") document.querySelector("main [data-search]")?.focus();
    else if (event.key === "?") help();
    else if (event.key === "[" || event.key === "]") turn(event.key === "]" ? 1 : -1);
    else return;
    event.preventDefault();
  });
}

function turn(by) {
  const buttons = [...document.querySelectorAll("#windows button")];
  const at = buttons.findIndex((button) => button.getAttribute("aria-pressed") === "true");
  buttons[at + by]?.click();
}
