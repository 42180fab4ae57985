// The frame: navigation, the time window, keys and sign-in, and the page that the address names.
//
// Addresses are `#/page/part?query`; a page is a function that gives its element, a title and how to stop it.

import { $, h, refill, say, svg } from "./dom.js";
import { hasToken, keepToken, onUnknown } from "./api.js";
import { connect, live } from "./live.js";
import { listen } from "./keys.js";
import { begin as beginTheme } from "./theme.js";
import { signIn } from "./signin.js";
import { now } from "./pages/now.js";
import { routes } from "./pages/routes.js";
import { route } from "./pages/route.js";
import { requests } from "./pages/requests.js";
import { request } from "./pages/request.js";
import { budgets } from "./pages/budgets.js";
import { cache } from "./pages/cache.js";
import { simulator } from "./pages/simulator.js";
import { config } from "./pages/config.js";

export const PAGES = [
  { name: "now", label: "Now", key: "n", icon: ["M3 12h4l3-8l4 16l3-8h4"], page: now },
  { name: "routes", label: "Routes", key: "r", icon: ["M5 19a2 2 0 1 0 0-4a2 2 0 0 0 0 4z", "M19 9a2 2 0 1 0 0-4a2 2 0 0 0 0 4z", "M7 17h6a4 4 0 0 0 0-8h-2a4 4 0 0 1 0-8"], page: routes, part: route },
  { name: "requests", label: "Requests", key: "q", icon: ["M4 6h16M4 12h16M4 18h10"], page: requests, part: request },
  { name: "budgets", label: "Budgets", key: "b", icon: ["M12 3v18", "M17 7.5c0-2-2.2-3-5-3s-5 1-5 3.3s2.5 3 5 3.7s5 1.500 5 4s-2.200 3.500-5 3.500s-5-1-5-3"], page: budgets },
  { name: "cache", label: "Cache", key: "c", icon: ["M12 3c4.400 0 8 1.300 8 3s-3.600 3-8 3s-8-1.300-8-3s3.600-3 8-3z", "M4 6v6c0 1.700 3.600 3 8 3s8-1.300 8-3V6", "M4 12v6c0 1.700 3.600 3 8 3s8-1.300 8-3v-6"], page: cache },
  { name: "simulator", label: "Simulate", key: "s", icon: ["M4 19V5M4 19h16", "M7 15l4-5l3 3l5-7"], page: simulator },
  { name: "config", label: "Config", key: "o", icon: ["M4 7h10M18 7h2M4 17h2M10 17h10", "M16 9a2 2 0 1 0 0-4a2 2 0 0 0 0 4z", "M8 19a2 2 0 1 0 0-4a2 2 0 0 0 0 4z"], page: config },
];

export const WINDOWS = ["15m", "2h", "24h"];

let shown = null;
let span = WINDOWS.includes(sessionStorage.getItem("trimtab-window")) ? sessionStorage.getItem("trimtab-window") : "15m";

function address() {
  const [path, text] = location.hash.replace(/^#\/?/, "").split("?");
  const slash = path.indexOf("/");
  const name = slash < 0 ? path : path.slice(0, slash);
  let part = "";
  try {
    part = slash < 0 ? "" : decodeURIComponent(path.slice(slash + 1));
  } catch {
    // A broken escape names nothing.
  }
  return { name: name || "now", part, query: new URLSearchParams(text ?? "") };
}

function open() {
  const { name, part, query } = address();
  const found = PAGES.find((one) => one.name === name) ?? PAGES[0];
  const make = part && found.part ? found.part : found.page;
  shown?.stop?.();
  shown = null;
  const made = make({ part, query, span });
  shown = made;
  refill($("main"), made.node);
  say($("title"), made.title);
  document.title = `${made.title} · Trimtab`;
  $("windows").hidden = !made.windowed;
  for (const link of document.querySelectorAll("#pages a")) {
    if (link.dataset.page === found.name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

// After an address was followed the reader is at the new page's top, by eye and by ear.
function follow() {
  open();
  scrollTo(0, 0);
  $("title").focus({ preventScroll: true });
}

function frame() {
  const links = PAGES.map((one) =>
    h("li", {}, h("a", { href: `#/${one.name}`, "data-page": one.name, title: `${one.label} (g ${one.key})` }, svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, one.icon.map((d) => svg("path", { d }))), h("span", {}, one.label))),
  );
  refill($("pages"), links);
  const buttons = WINDOWS.map((one) => h("button", { type: "button", "data-span": one, "aria-pressed": String(one === span), on: { click: () => choose(one) } }, one));
  refill($("windows"), buttons);
  $("skip").addEventListener("click", (event) => {
    event.preventDefault();
    $("main").focus();
  });
}

function choose(one) {
  span = one;
  sessionStorage.setItem("trimtab-window", one);
  for (const button of document.querySelectorAll("#windows button")) button.setAttribute("aria-pressed", String(button.dataset.span === one));
  open();
}

function status() {
  $("status").dataset.is = live.status.is;
  say($("status"), live.status.text);
  if (live.hello) say($("build"), `Trimtab ${live.hello.version}${hasToken() ? ", signed in" : ""}`);
}

function unknown() {
  signIn((token) => {
    keepToken(token);
    open();
    connect();
  });
}

beginTheme();
frame();
onUnknown(unknown);
listen(PAGES);
live.on((kind) => kind !== "tick" && status());
addEventListener("hashchange", follow);
open();
connect();
