// Acts as a reader of the dashboard, and fails with words where it does not hold.
//
// No console error or warning, no violation of the policy, no other host, no shift of the layout, data on every page.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch, tab } from "./browser.mjs";
import { start } from "./fake.mjs";
import { hostile } from "./hostile.mjs";
import { replayed } from "./replayed.mjs";

const [, , binary, chromium, shots] = process.argv;
const LEAST_SHIFT = 0.02;
const TOKEN = "browser-token-0123456789";
const CREEPING = "azure/gpt-4o-mini/prod@westeurope";
// Seconds into the world's ten minutes at which the creeping provider is well on its way down, so that pictures tell something.
const STAGE = 330;

const scratch = mkdtempSync(join(tmpdir(), "dashboard-files-"));
const began = Date.now();
const browser = launch(chromium);
const open = [];
let demo = null;

// Each page: its address, and an expression that holds once it shows data.
const PAGES = {
  now: ["#/now", "document.querySelectorAll('.tile').length === 8 && document.querySelector('.tile dd.value').textContent.endsWith('/s') && document.querySelector('.wrong li') && document.querySelectorAll('.strip a').length === 10 && document.querySelectorAll('ol.list li').length > 0"],
  routes: ["#/routes", "document.querySelectorAll('table[class~=cards] tbody tr').length >= 14 && document.querySelector('.terms i') && document.querySelector('.bullet u')"],
  route: [`#/routes/${encodeURIComponent(CREEPING)}`, "document.querySelectorAll('.band rect').length > 1 && document.querySelectorAll('tbody tr').length === 2 && document.querySelectorAll('ol.list li').length > 0"],
  requests: ["#/requests", "document.querySelectorAll('tbody tr').length >= 100 && document.querySelector('.pill.good')"],
  request: [null, "document.querySelectorAll('.fall .track i').length > 3 && document.querySelector('pre.text') && document.querySelectorAll('tbody tr').length > 3"],
  budgets: ["#/budgets", "document.querySelectorAll('tbody tr').length >= 11 && document.querySelector('.bar.bad')"],
  cache: ["#/cache", "document.querySelectorAll('tbody tr').length === 7 && document.querySelector('.tile dd.value').textContent.endsWith('%')"],
  simulator: ["#/simulator", "document.querySelectorAll('tbody tr').length >= 1 && document.querySelector('.drop')"],
  config: ["#/config", "document.querySelectorAll('tbody tr').length >= 26 && document.querySelector('.notice, .list')"],
};

function step(what) {
  console.log(`${((Date.now() - began) / 1_000).toFixed(1)} s: ${what}`);
}

async function clean(one, what, hosts) {
  assert.deepEqual(one.noted.errors, [], `${what}: the console and the policy say nothing`);
  assert.equal(one.noted.dialogs, 0, `${what}: no dialog opened`);
  assert.equal(await one.evaluate("String(window.pwned)"), "undefined", `${what}: nothing was executed`);
  for (const host of one.noted.hosts) assert.ok(hosts.includes(host), `${what}: ${host} was asked`);
}

async function steady(one, what) {
  const shifts = await one.evaluate("window.shifts");
  assert.ok(shifts < LEAST_SHIFT, `${what}: the layout shifted by ${shifts}: ${JSON.stringify(await one.evaluate("window.moved"))}`);
  const wider = await one.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
  assert.ok(wider <= 0, `${what}: the page is ${wider} px wider than its window`);
}

async function goTo(one, base, name) {
  const [address, holds] = PAGES[name];
  if (address) await one.open(`${base}/${address}`);
  else {
    await one.open(`${base}/#/requests?ending=upstream_error`);
    await one.until("document.querySelector('tbody a')");
    await one.click("tbody a");
  }
  await one.until(holds, `${name} to show data`);
}

async function keep(one, name) {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  // The figures' last frames are drawn.
  await one.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 300))))");
  writeFileSync(join(shots, `${name}.png`), await one.shot());
}

async function everyPage(base, host, look, options) {
  const suffix = look === "light" ? "" : `-${look}`;
  for (const name of Object.keys(PAGES)) {
    const one = await tab(browser, options);
    await goTo(one, base, name);
    await one.evaluate("new Promise((done) => setTimeout(done, 400))");
    await steady(one, `${name}, ${look}`);
    await clean(one, `${name}, ${look}`, [host]);
    await contrast(one, `${name}, ${look}`);
    await charts(one, `${name}, ${look}`);
    if (look === "light" || (look === "dark" && ["now", "route"].includes(name)) || (look === "phone" && ["now", "routes", "request"].includes(name))) await keep(one, name + suffix);
    await one.close();
  }
  step(`every page, ${look}`);
}

// Every chart is drawn once it comes into sight; pictures are taken from the top.
async function charts(one, what) {
  const many = await one.evaluate("document.querySelectorAll('.chart').length");
  for (let at = 0; at < many; at += 1) {
    await one.evaluate(`document.querySelectorAll('.chart')[${at}].scrollIntoView({ block: "center" })`);
    await one.until(`document.querySelectorAll('.chart')[${at}].querySelector('.uplot canvas')`, `${what}: chart ${at + 1} to be drawn`);
  }
  await one.evaluate("scrollTo(0, 0)");
}

// Text against what is behind it: at least 4.5.
async function contrast(one, what) {
  const poor = await one.evaluate(`(() => {
    const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
    const rgba = (text) => { context.clearRect(0, 0, 1, 1); context.fillStyle = text; context.fillRect(0, 0, 1, 1); return [...context.getImageData(0, 0, 1, 1).data]; };
    const light = (rgb) => rgb.slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (node) => { let out = [0, 0, 0, 0]; for (let at = node; at; at = at.parentElement) { const layer = rgba(getComputedStyle(at).backgroundColor); const a = out[3] / 255; out = out.slice(0, 3).map((v, i) => v * a + layer[i] * (1 - a)).concat(Math.min(255, out[3] + layer[3] * (1 - a))); if (out[3] > 250) break; } return out; };
    const found = new Set();
    for (const node of document.querySelectorAll("body *")) {
      if (![...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()) || node.closest("svg, canvas, .skip, [hidden], option")) continue;
      const box = node.getBoundingClientRect();
      if (box.width === 0 || box.bottom < 0 || box.top > innerHeight || getComputedStyle(node).fontSize === "0px") continue;
      const [one, other] = [light(rgba(getComputedStyle(node).color)), light(behind(node))];
      const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
      if (ratio < 4.5) found.add(node.tagName + "." + node.className + " " + node.textContent.slice(0, 20) + " " + ratio.toFixed(2));
    }
    return [...found];
  })()`);
  assert.deepEqual(poor, [], `${what}: the contrast of text`);
}

async function byPointer(base, host, world) {
  const one = await tab(browser, { still: true });
  await one.open(base);
  for (const name of ["routes", "requests", "budgets", "cache", "simulator", "config", "now"]) {
    await one.click(`#pages a[data-page="${name}"]`);
    await one.until(PAGES[name][1], `${name} after a click`);
  }
  await one.click("[data-span='2h']");
  await one.until("document.querySelector('[data-span=\"2h\"]').getAttribute('aria-pressed') === 'true' && document.querySelectorAll('.uplot').length > 0");
  await one.until("performance.getEntriesByType('resource').some((it) => it.name.includes('window=2h'))");
  const before = await one.evaluate("document.documentElement.dataset.theme");
  await one.click("#theme");
  assert.notEqual(await one.evaluate("document.documentElement.dataset.theme"), before, "the switch changes colours");
  await one.click("#theme");
  assert.equal(await one.evaluate("document.documentElement.dataset.theme"), before, "and back");

  await one.open(`${base}/${PAGES.routes[0]}`);
  await one.until(PAGES.routes[1]);
  await one.click("th:nth-child(3) button");
  await one.until("document.querySelector('th:nth-child(3)').getAttribute('aria-sort') === 'descending'");
  const scores = await one.evaluate("[...document.querySelectorAll('table')[0].querySelectorAll('tbody td:nth-child(3)')].map((it) => Number(it.textContent))");
  assert.deepEqual(scores, [...scores].sort((a, b) => b - a), "sorted by score");

  await goTo(one, base, "route");
  await one.click("main .btn.danger");
  await one.until("document.querySelector('dialog[open] input')");
  await one.press("Escape");
  await one.until("!document.querySelector('dialog')");
  assert.equal(world.actions.length, 0, "nothing is changed by a dialog that is left");
  await one.click("main .btn.danger");
  await one.until("document.querySelector('dialog[open] input')");
  await one.type("300");
  await one.click("dialog input[name=reason]");
  await one.type("maintenance");
  await one.click("dialog button[type=submit]");
  await one.until("document.querySelector('.log').textContent.startsWith('Done')");
  assert.deepEqual(world.actions.at(-1), { method: "POST", path: `/api/routes/${encodeURIComponent(CREEPING)}/drain`, query: "", body: { seconds: 300, reason: "maintenance" } });
  await one.until("[...document.querySelectorAll('main .btn')].some((it) => it.textContent === 'Undrain')", "the route to be drained");

  await one.open(`${base}/#/requests?min_ms=2000`);
  await one.until("document.querySelectorAll('tbody tr').length > 20");
  await one.evaluate("scrollTo(0, document.body.scrollHeight)");
  await one.until("document.querySelectorAll('tbody tr').length > 110", "older requests");

  const file = join(scratch, "report.json");
  writeFileSync(file, JSON.stringify(replayed()));
  await report(one, base, file);
  await one.until("document.querySelectorAll('.heat tbody tr').length === 2");
  await charts(one, "a report");
  await keep(one, "simulator");
  writeFileSync(file, "{\"scenarios\":3}");
  await report(one, base, file);
  await one.until("document.querySelector('.notice.bad')?.textContent.includes('no replay report')");

  await one.open(`${base}/${PAGES.config[0]}`);
  await one.until(PAGES.config[1]);
  await one.click("main .btn");
  await one.until("document.querySelector('dialog[open]')");
  await one.click("dialog button[type=submit]");
  await one.until("document.querySelector('.log').textContent.startsWith('Done')");
  await clean(one, "by pointer", [host]);
  await one.close();
  step("by pointer");
}

async function report(one, base, file) {
  if (!(await one.evaluate("location.hash === '#/simulator'"))) await one.open(`${base}/#/simulator`);
  await one.until("document.querySelector('input[type=file]')");
  const { root } = await one.call("DOM.getDocument");
  const { nodeId } = await one.call("DOM.querySelector", { nodeId: root.nodeId, selector: "input[type=file]" });
  await one.call("DOM.setFileInputFiles", { files: [file], nodeId });
}

async function byKey(base, host) {
  const one = await tab(browser);
  await one.open(base);
  for (const [key, name] of [["r", "routes"], ["q", "requests"], ["b", "budgets"], ["c", "cache"], ["s", "simulator"], ["o", "config"], ["n", "now"]]) {
    await one.press("g");
    await one.press(key);
    await one.until(`location.hash === '#/${name}' && (${PAGES[name][1]})`, `${name} by g ${key}`);
  }
  await one.press("?");
  await one.until("document.querySelector('dialog[open] kbd')");
  await one.press("Escape");
  await one.until("!document.querySelector('dialog')");
  await one.press("g");
  await one.press("r");
  await one.until(PAGES.routes[1]);
  await one.press("/");
  await one.until("document.activeElement.matches('[data-search]')");
  await one.type("azure");
  await one.until("document.querySelectorAll('table')[0].querySelectorAll('tbody tr').length === 1");
  await one.press("Escape");
  await one.until("!document.activeElement.matches('input')");
  const seen = new Set();
  await one.open(base);
  await one.until(PAGES.now[1]);
  for (let press = 0; press < 30; press += 1) {
    await one.press("Tab");
    const found = await one.evaluate("(() => { const it = document.activeElement; const { outlineStyle, outlineWidth } = getComputedStyle(it); return { name: it.id || it.dataset.page || it.textContent.slice(0, 20), shown: it === document.body || (outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1) }; })()");
    assert.ok(found.shown, `the focus on ${found.name} is visible`);
    seen.add(found.name);
  }
  for (const wanted of ["skip", "now", "config", "theme", "help"]) assert.ok(seen.has(wanted), `${wanted} is reached by Tab: ${[...seen]}`);
  await one.open(`${base}/#/requests`);
  await one.until("document.querySelector('tbody a')");
  await one.evaluate("document.querySelector('tbody a').focus()");
  await one.press("Enter");
  await one.until("location.hash.startsWith('#/requests/0')", "a request by Enter");
  await clean(one, "by key", [host]);
  await one.close();
  step("by key");
}

async function brokenOff(fake, host) {
  const one = await tab(browser);
  await one.open(fake.url);
  await one.until("document.querySelector('#status').dataset.is === 'live'");
  fake.cut();
  await one.until("/^reconnecting in/.test(document.querySelector('#status').textContent)", "the page to say that it reconnects");
  await one.until("document.querySelector('#status').dataset.is === 'live'", "the page to be live again");
  await clean(one, "after a break", [host]);
  await one.close();
  step("a stream that broke off");
}

async function signedIn(origin) {
  const fake = await start({ origin, token: TOKEN, now: staged });
  open.push(fake);
  const one = await tab(browser);
  await one.open(fake.url);
  await one.until("document.querySelector('dialog[open] input[type=password]')", "the sign-in");
  await one.type("wrong");
  await one.press("Enter");
  await one.until("document.querySelector('dialog .notice')?.textContent.includes('does not know')");
  await one.evaluate("(document.querySelector('dialog input').value = '', document.querySelector('dialog input').focus())");
  await one.type(TOKEN);
  await one.press("Enter");
  await one.until(`!document.querySelector('dialog') && (${PAGES.now[1]})`, "figures after signing in");
  assert.ok(!fake.world.seen.some((url) => url.includes(TOKEN)), "the token is in no address");
  await clean(one, "signed in", [new URL(fake.url).host]);
  await one.close();
  step("signed in");
}

async function withoutLedger(origin) {
  const fake = await start({ origin, ledger: false, now: staged });
  open.push(fake);
  const one = await tab(browser);
  for (const name of ["budgets", "requests", "config"]) {
    await one.open(`${fake.url}/#/${name}`);
    await one.until("document.querySelector('main').textContent.includes('Not available without a ledger')", `${name} to say why there is nothing`);
  }
  await clean(one, "without a ledger", [new URL(fake.url).host]);
  await one.close();
  step("without a ledger");
}

async function withHostileNames(origin) {
  const fake = await start({ origin, evil: true, now: staged });
  open.push(fake);
  const names = hostile();
  const host = new URL(fake.url).host;
  const one = await tab(browser, { height: 1_400 });
  let told = "";
  const read = async () => (told += await one.evaluate("document.querySelector('main').textContent + [...document.querySelectorAll('[title]')].map((it) => it.title).join('\\n')"));
  for (const [address, holds] of [["#/now", "document.querySelector('.strip a')"], ["#/routes", "document.querySelectorAll('tbody tr').length > 64"], ["#/requests", "document.querySelectorAll('tbody tr').length > 90"], ["#/budgets", "document.querySelectorAll('tbody tr').length > 8"], ["#/cache", "document.querySelectorAll('tbody tr').length > 5"], ["#/config", "document.querySelectorAll('tbody tr').length > 200"], ["#/simulator", "document.querySelector('tbody tr')"], [`#/routes/${encodeURIComponent(fake.world.routes[1].route)}`, "document.querySelector('tbody tr')"]]) {
    await one.open(`${fake.url}/${address}`);
    await one.until(holds, `${address} with hostile names`);
    await read();
    await clean(one, `hostile names at ${address}`, [host]);
  }
  await one.open(`${fake.url}/#/requests`);
  await one.until("document.querySelector('tbody a')");
  await one.click("tbody a");
  await one.until("document.querySelector('.fall') && document.querySelector('pre.text')");
  await read();
  const file = join(scratch, `report.json`);
  writeFileSync(file, JSON.stringify(replayed(names.slice(0, 40), names.slice(40, 60))));
  await report(one, fake.url, file);
  await one.until("document.querySelectorAll('.heat tbody tr').length === 40");
  await read();
  const visible = (name) => name.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const missing = names.filter((name) => !told.includes(visible(name)));
  assert.deepEqual(missing, [], "every hostile name is shown as text");
  const markup = await one.evaluate("document.querySelectorAll('main script, main img, main iframe, main object, main base, main meta, main link, main style, main marquee, main video').length");
  assert.equal(markup, 0, "no name became markup");
  await clean(one, "hostile names", [host]);
  await one.close();
  step(`${names.length} hostile names`);
}

async function manyRoutes(origin) {
  const fake = await start({ origin, routes: 64, now: staged });
  open.push(fake);
  const one = await tab(browser);
  await one.open(`${fake.url}/#/routes`);
  await one.until("document.querySelectorAll('table')[0]?.querySelectorAll('tbody tr').length === 64");
  const slow = await one.evaluate("new Promise((done) => { let last = performance.now(); let worst = 0; const end = last + 2500; const frame = (now) => { worst = Math.max(worst, now - last); last = now; now < end ? requestAnimationFrame(frame) : done(worst); }; requestAnimationFrame(frame); })");
  console.log(`64 routes: the longest frame of 2.5 s took ${slow.toFixed(0)} ms`);
  await steady(one, "64 routes");
  await one.close();
}

// The page on a gateway that runs: what it has is shown, what it has not is said, nothing breaks.
// What each page of a real gateway must show, whose providers are alder, birch and cedar.
const REAL = {
  now: "document.querySelector('#status').dataset.is === 'live' && document.querySelectorAll('.tile').length === 8 && parseFloat(document.querySelector('.tile dd.value').textContent) > 1 && document.querySelectorAll('.strip a').length === 3 && document.querySelector('.uplot canvas')",
  routes: "document.querySelectorAll('table')[0]?.querySelectorAll('tbody tr').length === 3 && document.querySelector('main').textContent.includes('cedar/demo/main')",
  requests: "document.querySelectorAll('tbody tr').length >= 20 && document.querySelector('.pill.good')",
  budgets: "document.querySelector('main').textContent.includes('ledger')",
  cache: "document.querySelectorAll('.tile').length > 0",
  simulator: "document.querySelector('.drop')",
  config: "document.querySelector('main').textContent.length > 40",
};

async function onTheDemo(origin) {
  const host = new URL(origin).host;
  const one = await tab(browser);
  for (const [name, holds] of Object.entries(REAL)) {
    await one.open(`${origin}/#/${name}`);
    await one.until(holds, `${name} on the demo to show what is there`);
    await one.evaluate("new Promise((done) => setTimeout(done, 400))");
    await steady(one, `${name} on the demo`);
  }
  await one.open(`${origin}/#/requests`);
  await one.until("document.querySelector('tbody a')");
  await one.click("tbody a");
  await one.until("document.querySelector('.fall .track i') && document.querySelector('main').textContent.includes('/demo/main')", "a request's life on the demo");
  // Alder begins to slow down a minute after the start: the page says so, in words, and why.
  await one.open(`${origin}/#/now`);
  for (let left = 120; left > 0 && !(await one.evaluate("document.querySelector('.wrong')?.textContent.includes('alder')")); left -= 1) await new Promise((done) => setTimeout(done, 500));
  const said = await one.evaluate("document.querySelector('.wrong').textContent");
  assert.match(said, /alder/, "the page names the provider that degrades");
  await one.until("document.querySelector('.strip a[href*=\"alder\"]')", "its route on the strip");
  await keep(one, "demo");
  await one.open(`${origin}/#/routes/${encodeURIComponent("alder/demo/main")}`);
  await one.until("document.querySelectorAll('.band rect').length > 1 && document.querySelectorAll('ol.list li').length > 0", "the route's states and events on the demo");
  await steady(one, "a route on the demo");
  await charts(one, "a route on the demo");
  await keep(one, "demo-route");
  await clean(one, "on the demo", [host]);
  await one.close();
  step(`on a gateway that runs: ${said.slice(0, 160)}`);
}

async function headers(origin) {
  const page = await fetch(`${origin}/`, { headers: { accept: "text/html" } });
  assert.equal(page.status, 200);
  assert.match(page.headers.get("content-security-policy"), /^default-src 'none'; script-src 'self'; style-src 'self';.*frame-ancestors 'none'$/);
  for (const [name, value] of [["x-content-type-options", "nosniff"], ["referrer-policy", "no-referrer"], ["cross-origin-opener-policy", "same-origin"], ["cross-origin-resource-policy", "same-origin"], ["cache-control", "no-cache"]]) assert.equal(page.headers.get(name), value);
  assert.ok(page.headers.get("permissions-policy"));
  const again = await fetch(`${origin}/`, { headers: { accept: "text/html", "if-none-match": page.headers.get("etag") } });
  assert.equal(again.status, 304);
  const head = await fetch(`${origin}/ui/app.js`, { method: "HEAD" });
  assert.deepEqual([head.status, head.headers.get("content-type")], [200, "text/javascript; charset=utf-8"]);
  assert.equal((await fetch(`${origin}/ui/none.js`)).status, 404);
  assert.match(await (await fetch(`${origin}/`)).text(), /^Trimtab admin/);
  assert.equal((await fetch(`${origin}/`, { headers: { accept: "text/html", origin: "http://evil.example" } })).status, 403);
  step("headers");
}

// The world's clock: a few minutes behind at most, so that the story is always at the same place.
function staged() {
  const shift = (((began / 1_000 - STAGE) % 600) + 600) % 600;
  return Date.now() / 1_000 - shift;
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function startDemo() {
  const origin = `http://127.0.0.1:${await freePort()}`;
  demo = spawn(binary, ["demo", "--plain", "--speed", "1", "--rate", "20", "--admin", origin.slice(7)], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve, reject) => {
    demo.once("exit", (code) => reject(new Error(`the demo ended with ${code}`)));
    createInterface({ input: demo.stdout }).on("line", (line) => line.startsWith("Dashboard at") && resolve());
  });
  demo.removeAllListeners("exit");
  return origin;
}

async function all() {
  const origin = await startDemo();
  await headers(origin);
  const fake = await start({ origin, now: staged });
  open.push(fake);
  const host = new URL(fake.url).host;
  await Promise.all([everyPage(fake.url, host, "light", {}), everyPage(fake.url, host, "dark", { dark: true }), everyPage(fake.url, host, "phone", { width: 360, height: 740, phone: true })]);
  await Promise.all([byPointer(fake.url, host, fake.world).then(() => byKey(fake.url, host)), signedIn(origin).then(() => withoutLedger(origin)), withHostileNames(origin)]);
  await brokenOff(fake, host);
  await manyRoutes(origin);
  await onTheDemo(origin);
}

let failed = null;
try {
  await all();
} catch (error) {
  failed = error;
}
demo?.kill("SIGTERM");
await browser.stop();
for (const one of open) one.stop();
rmSync(scratch, { recursive: true, force: true });
if (failed) {
  console.error(failed.stack);
  process.exit(1);
}
step("the dashboard holds");
process.exit(0);
