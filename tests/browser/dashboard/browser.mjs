// Headless Chromium over its DevTools protocol, through two pipes: no package, no port.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions", "--hide-scrollbars", "--force-color-profile=srgb", "--remote-debugging-pipe"];
// A command that takes longer has gone wrong.
const LONGEST_MS = 30_000;

export function launch(binary) {
  const profile = mkdtempSync(join(tmpdir(), "dashboard-"));
  const child = spawn(binary, [...FLAGS, `--user-data-dir=${profile}`, "about:blank"], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
  const [, , , into, out] = child.stdio;
  const waiting = new Map();
  const listeners = new Set();
  // A browser that is gone answers nothing more.
  const gone = (error) => waiting.forEach((wanted) => wanted.reject(error));
  into.on("error", gone);
  out.on("error", gone);
  let last = 0;
  let rest = "";
  out.setEncoding("utf8");
  out.on("data", (piece) => {
    rest += piece;
    for (let end = rest.indexOf("\0"); end >= 0; end = rest.indexOf("\0")) {
      const message = JSON.parse(rest.slice(0, end));
      rest = rest.slice(end + 1);
      const wanted = waiting.get(message.id);
      if (!wanted) listeners.forEach((act) => act(message));
      else if (message.error) wanted.reject(new Error(`${wanted.method}: ${message.error.message}`));
      else wanted.resolve(message.result);
      waiting.delete(message.id);
    }
  });
  const call = (method, params = {}, sessionId = undefined) =>
    new Promise((resolve, reject) => {
      const id = ++last;
      const late = setTimeout(() => reject(new Error(`${method} took too long`)), LONGEST_MS);
      const done = (act) => (value) => (clearTimeout(late), act(value));
      waiting.set(id, { method, resolve: done(resolve), reject: done(reject) });
      into.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  const stop = () => new Promise((resolve) => {
    child.once("exit", () => (rmSync(profile, { recursive: true, force: true, maxRetries: 5 }), resolve()));
    child.kill("SIGKILL");
  });
  return { call, on: (act) => listeners.add(act), stop };
}

const WATCH = `
  window.shifts = 0;
  window.moved = [];
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) {
      if (one.hadRecentInput) continue;
      window.shifts += one.value;
      for (const source of one.sources) window.moved.push((source.node?.className || source.node?.nodeName) + ' ' + one.value.toFixed(4));
    }
  }).observe({ type: 'layout-shift', buffered: true });
`;

// A tab of its own with nothing kept from others; it notes whatever goes wrong.
export async function tab(browser, { width = 1280, height = 800, dark = false, still = false, phone = false } = {}) {
  const { browserContextId } = await browser.call("Target.createBrowserContext");
  const { targetId } = await browser.call("Target.createTarget", { url: "about:blank", browserContextId, width, height });
  const { sessionId } = await browser.call("Target.attachToTarget", { targetId, flatten: true });
  const call = (method, params) => browser.call(method, params, sessionId);
  const noted = { errors: [], hosts: new Set(), dialogs: 0 };
  browser.on((message) => {
    if (message.sessionId !== sessionId) return;
    const { method, params } = message;
    if (method === "Runtime.exceptionThrown") noted.errors.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    if (method === "Runtime.consoleAPICalled" && ["error", "warning", "assert"].includes(params.type)) noted.errors.push(`console: ${params.args.map((one) => one.value ?? one.description).join(" ")}`);
    if (method === "Log.entryAdded" && ["error", "warning"].includes(params.entry.level) && params.entry.source !== "network") noted.errors.push(`${params.entry.source}: ${params.entry.text}`);
    if (method === "Audits.issueAdded" && params.issue.code === "ContentSecurityPolicyIssue") noted.errors.push(`policy: ${JSON.stringify(params.issue.details)}`);
    if (method === "Network.requestWillBeSent" && !/^(data|blob|about):/.test(params.request.url)) noted.hosts.add(new URL(params.request.url).host);
    if (method === "Page.javascriptDialogOpening") {
      noted.dialogs += 1;
      call("Page.handleJavaScriptDialog", { accept: false });
    }
  });
  for (const domain of ["Page", "Runtime", "Log", "Network", "Audits", "DOM"]) await call(`${domain}.enable`);
  // Tabs beside each other all think that they are in front.
  await call("Emulation.setFocusEmulationEnabled", { enabled: true });
  await call("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: phone });
  await call("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }, { name: "prefers-reduced-motion", value: still ? "reduce" : "no-preference" }] });
  await call("Page.addScriptToEvaluateOnNewDocument", { source: WATCH });

  async function evaluate(expression) {
    const { result, exceptionDetails } = await call("Runtime.evaluate", { expression: `(async () => (${expression}))()`, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    return result.value;
  }

  // Waits until an expression holds.
  async function until(expression, what = expression, longest = 20_000) {
    const end = Date.now() + longest;
    for (;;) {
      if (await evaluate(`Boolean(${expression})`)) return;
      if (Date.now() > end) throw new Error(`in vain waited for: ${what}; at ${await evaluate("location.hash + ' ' + document.body.innerText.slice(0, 600)")}; ${noted.errors}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  const KEYS = { Enter: 13, Escape: 27, Tab: 9, ArrowDown: 40 };
  async function press(key) {
    const text = key === "Enter" ? "\r" : key.length === 1 ? key : undefined;
    const common = { key, text, code: key.length === 1 ? undefined : key, windowsVirtualKeyCode: KEYS[key] ?? key.toUpperCase().charCodeAt(0) };
    await call("Input.dispatchKeyEvent", { type: text ? "keyDown" : "rawKeyDown", ...common });
    await call("Input.dispatchKeyEvent", { type: "keyUp", ...common, text: undefined });
  }

  async function click(selector) {
    const box = await evaluate(`(() => { const one = document.querySelector(${JSON.stringify(selector)}); if (!one) return null; one.scrollIntoView({ block: "center" }); const { x, y, width, height } = one.getBoundingClientRect(); return { x: x + width / 2, y: y + height / 2 }; })()`);
    if (!box) throw new Error(`nothing to click at ${selector}`);
    await call("Input.dispatchMouseEvent", { type: "mouseMoved", ...box });
    for (const type of ["mousePressed", "mouseReleased"]) await call("Input.dispatchMouseEvent", { type, ...box, button: "left", clickCount: 1 });
  }

  return {
    call, noted, evaluate, until, press, click,
    open: async (url) => {
      await call("Page.navigate", { url });
      await until("document.readyState === 'complete' && document.querySelector('main')?.childElementCount > 0", `${url} to open`);
    },
    type: (text) => call("Input.insertText", { text }),
    shot: async (format = "png") => Buffer.from((await call("Page.captureScreenshot", { format, optimizeForSpeed: false })).data, "base64"),
    close: () => browser.call("Target.disposeBrowserContext", { browserContextId }),
  };
}
