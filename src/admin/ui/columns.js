// Figures over time, column by column: what charts take as it is, bounded however long the page is open.

export class Columns {
  constructor(most) {
    this.most = most;
    this.at_us = [];
    this.series = {};
  }

  // Takes a history; what was there before is forgotten.
  load(history) {
    this.at_us = history.at_us.slice(-this.most);
    this.series = {};
    for (const [name, values] of Object.entries(history.series)) this.series[name] = values.slice(-this.most);
  }

  // Takes one instant's figures; an instant that is not newer is left out.
  push(atUs, figures) {
    const last = this.at_us.at(-1);
    if (last !== undefined && atUs <= last) return;
    const before = this.at_us.length;
    this.at_us.push(atUs);
    for (const [name, value] of Object.entries(figures)) {
      if (typeof value !== "number" && value !== null) continue;
      this.series[name] ??= new Array(before).fill(null);
      this.series[name].push(value);
    }
    const whole = this.at_us.length;
    for (const values of Object.values(this.series)) while (values.length < whole) values.push(null);
    if (whole > this.most) {
      this.at_us.shift();
      for (const values of Object.values(this.series)) values.shift();
    }
  }

  last(name) {
    return this.series[name]?.at(-1) ?? null;
  }

  // The mean of a column's last values that are there.
  recent(name, many) {
    const values = (this.series[name] ?? []).slice(-many).filter((value) => value !== null);
    return values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
  }
}
