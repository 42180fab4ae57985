// A table that is sorted by its heads, by pointer or key; on a phone each row becomes a card.
//
// Rows keep their elements from one set of figures to the next, so neither focus nor the eye loses its place.

import { h, refill } from "./dom.js";

// Columns: { key, label, number, wide, value(row) to sort by, cell(row) to show, still: drawn once, look: classes }.
// `same(row)` names what a row shows: where it is as before the row is left alone.
export function table({ columns, key, sort, caption, same, look = "", nothing = "Nothing to show." }) {
  let by = sort?.by ?? null;
  let down = sort?.down ?? false;
  let rows = [];
  const kept = new Map();
  const body = h("tbody");
  const none = h("td", { colspan: columns.length, class: "wide" }, nothing);
  const heads = columns.map((column) => {
    const act = () => {
      down = by === column.key ? !down : Boolean(column.number);
      by = column.key;
      draw();
    };
    const inside = column.value ? h("button", { type: "button", on: { click: act } }, column.label) : column.label;
    return h("th", { scope: "col", class: looks(column), title: column.title }, inside);
  });
  const node = h(
    "div",
    { class: "scroll" },
    h("table", { class: `cards ${look}` }, h("caption", { hidden: true }, caption), h("thead", {}, h("tr", {}, heads)), body),
  );

  function element(row) {
    const name = key(row);
    let found = kept.get(name);
    const fresh = !found;
    if (fresh) {
      const cells = columns.map((column) => h("td", { class: looks(column), "data-label": column.label }));
      found = { row: h("tr", {}, cells), cells };
      kept.set(name, found);
    }
    const shows = same?.(row);
    if (!fresh && shows !== undefined && shows === found.shows) return found.row;
    found.shows = shows;
    columns.forEach((column, at) => {
      if (!fresh && column.still) return;
      const shown = column.cell(row);
      const cell = found.cells[at];
      if (typeof shown === "string" && cell.childElementCount === 0 && cell.textContent === shown) return;
      refill(cell, shown);
    });
    return found.row;
  }

  function inPlace(next) {
    const places = new Map([...kept.keys()].map((name, place) => [name, place]));
    return [...next].sort((one, other) => (places.get(key(one)) ?? Infinity) - (places.get(key(other)) ?? Infinity) || 0);
  }

  function draw(settled = false) {
    columns.forEach((column, at) => {
      if (!column.value) return;
      heads[at].setAttribute("aria-sort", by === column.key ? (down ? "descending" : "ascending") : "none");
    });
    const column = columns.find((one) => one.key === by);
    const ordered = column && !settled ? [...rows].sort((one, other) => order(column.value(one), column.value(other), down)) : rows;
    const names = new Set(ordered.map(key));
    for (const name of kept.keys()) if (!names.has(name)) kept.delete(name);
    // The order of those kept is the order shown.
    for (const row of settled ? [] : ordered) {
      const found = kept.get(key(row));
      if (found && kept.delete(key(row))) kept.set(key(row), found);
    }
    const wanted = ordered.length ? ordered.map(element) : [h("tr", {}, none)];
    wanted.forEach((row, at) => {
      if (body.children[at] !== row) body.insertBefore(row, body.children[at] ?? null);
    });
    while (body.children.length > wanted.length) body.lastChild.remove();
  }

  return {
    node,
    // Settled rows keep their places, whatever their figures do, until somebody sorts.
    set(next, { settled = false } = {}) {
      rows = settled ? inPlace(next) : next;
      draw(settled);
    },
  };
}

function looks(column) {
  const all = [column.number ? "num" : "", column.wide ? "wide" : "", column.look ?? ""].filter(Boolean);
  return all.join(" ") || null;
}

// What is not known comes last either way.
function order(one, other, down) {
  const none = (value) => value === null || value === undefined || value === "";
  if (none(one) || none(other)) return none(one) - none(other);
  const found = typeof one === "number" && typeof other === "number" ? one - other : String(one).localeCompare(String(other), "en", { numeric: true });
  return down ? -found : found;
}
