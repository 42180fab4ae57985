// Figures and instants in words: a unit with every number, a dash where there is none.

const NONE = "–";
const gone = (value) => value === null || value === undefined || Number.isNaN(value);

function digits(value, most) {
  return value.toLocaleString("en", { maximumFractionDigits: most, minimumFractionDigits: 0 });
}

// Three significant digits, thousands as k and M.
export function number(value) {
  if (gone(value)) return NONE;
  const size = Math.abs(value);
  if (size >= 1e9) return `${digits(value / 1e9, 2)} G`;
  if (size >= 1e6) return `${digits(value / 1e6, 2)} M`;
  if (size >= 1e4) return `${digits(value / 1e3, 1)} k`;
  if (size >= 100 || Number.isInteger(value)) return digits(value, 0);
  if (size >= 10) return digits(value, 1);
  return digits(value, 2);
}

// As it was measured, four significant digits.
export const exact = (value) => (gone(value) ? NONE : String(Number(value.toPrecision(4))));
export const count = (value) => (gone(value) ? NONE : digits(value, 0));
export const perSecond = (value) => (gone(value) ? NONE : `${number(value)}/s`);
export const score = (value) => (gone(value) ? NONE : value.toFixed(2));

export function percent(value) {
  if (gone(value)) return NONE;
  const share = value * 100;
  const places = share === 0 || share === 100 ? 0 : Math.abs(share) > 99 || Math.abs(share) < 1 ? 2 : 1;
  return `${digits(share, places)} %`;
}

export function ms(value) {
  if (gone(value)) return NONE;
  const size = Math.abs(value);
  if (size >= 120_000) return `${digits(value / 60_000, 1)} min`;
  if (size >= 1_000) return `${digits(value / 1_000, 2)} s`;
  if (size >= 10 || value === 0) return `${digits(value, 0)} ms`;
  if (size >= 1) return `${digits(value, 1)} ms`;
  return `${digits(value * 1_000, 0)} µs`;
}

export const us = (value) => (gone(value) ? NONE : ms(value / 1_000));

export function dollars(value) {
  if (gone(value)) return NONE;
  const size = Math.abs(value);
  if (size >= 10_000) return `$${number(value)}`;
  if (size >= 1 || size === 0) return `$${value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  if (size >= 0.01) return `$${value.toFixed(3)}`;
  return `$${value.toPrecision(2)}`;
}

export function bytes(value) {
  if (gone(value)) return NONE;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (value >= 1024 && at < units.length - 1) {
    value /= 1024;
    at += 1;
  }
  return `${digits(value, at === 0 ? 0 : 1)} ${units[at]}`;
}

export function seconds(value) {
  if (gone(value)) return NONE;
  const whole = Math.max(0, Math.round(value));
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60 ? `${whole % 60} s` : ""}`.trim();
  if (whole < 86_400) return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3_600)} h`;
}

export function ago(atUs) {
  if (gone(atUs)) return NONE;
  const past = (Date.now() - atUs / 1_000) / 1_000;
  if (past < -1) return `in ${seconds(-past)}`;
  if (past < 2) return "just now";
  if (past < 3_600) return past < 60 ? `${Math.floor(past)} s ago` : `${Math.floor(past / 60)} min ago`;
  return `${seconds(past)} ago`;
}

export function clock(atUs) {
  if (gone(atUs)) return NONE;
  return new Date(atUs / 1_000).toLocaleTimeString("en-GB");
}

export function instant(atUs) {
  if (gone(atUs)) return NONE;
  const at = new Date(atUs / 1_000);
  const day = at.toLocaleDateString("en-CA");
  return `${day} ${at.toLocaleTimeString("en-GB")}`;
}

// A word of the API for people: `client_gone` as `client gone`.
export const words = (name) => (gone(name) ? NONE : String(name).replaceAll("_", " "));

export const micros = (text) => (text ? Date.parse(text) * 1_000 : null);

export function plural(many, one, more = `${one}s`) {
  return `${count(many)} ${many === 1 ? one : more}`;
}
