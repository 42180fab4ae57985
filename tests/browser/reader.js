// Acts as a reader of the page: opens, closes, moves the slider by key, clicks into a curve, compares with another policy.
// What does not answer is thrown, and so lands where the page tells its errors.
"use strict";
{
  const must = (holds, what) => {
    if (!holds) throw new Error(`reader: ${what}`);
  };
  const one = (selector) => {
    const found = document.querySelector(selector);
    must(found, `${selector} is missing`);
    return found;
  };
  const charts = () => Number(document.body.dataset.charts);
  const did = [];

  const explained = one("details[data-explained-s]");
  if (!explained.open) explained.querySelector("summary").click();

  setTimeout(() => {
    const inside = `#${explained.id}`;
    const words = () => one(`${inside} .why-words`);

    const slider = one(`${inside} input[type=range]`);
    must(slider.getAttribute("aria-label") && slider.getAttribute("aria-valuetext"), "the slider has no label");
    slider.value = slider.max;
    slider.dispatchEvent(new Event("input"));
    slider.dispatchEvent(new Event("change"));
    must(words().dataset.at === explained.dataset.explainedS, "the slider's end is not the run's end");
    must(location.hash.startsWith("#why="), "the address does not tell the instant");
    did.push("slider");

    const over = one(`${inside} .u-over`);
    const box = over.getBoundingClientRect();
    const at = { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2, bubbles: true };
    for (const kind of ["mouseenter", "mousemove", "mousedown", "mouseup", "click"]) over.dispatchEvent(new MouseEvent(kind, at));
    const share = Number(words().dataset.at) / Number(explained.dataset.explainedS);
    must(Math.abs(share - 0.5) < 0.05, `a click in the middle shows ${words().dataset.at} s`);
    did.push("click");

    const select = document.querySelector(`${inside} select`);
    if (select) {
      const before = charts();
      for (const option of select.options) {
        select.value = option.value;
        select.dispatchEvent(new Event("change"));
        const other = option.value === "" ? before / 2 : before;
        must(charts() === other, `${charts()} charts beside ${option.value || "nobody"}, not ${other}`);
      }
      did.push(`${select.options.length} comparisons`);
    }

    const wide = document.documentElement;
    must(wide.scrollWidth <= wide.clientWidth, "the page is wider than its window");

    const rows = document.querySelectorAll(".heat tr.leads");
    for (const row of rows) row.click();
    setTimeout(() => {
      const open = document.querySelectorAll("details.scenario[open]").length;
      must(open >= rows.length, `${open} scenarios are open after ${rows.length} rows were clicked`);
      did.push(`${rows.length} rows`);
      explained.querySelector("summary").click();
      setTimeout(() => {
        must(!document.querySelector(`${inside} .uplot`), "a closed scenario keeps its charts");
        explained.querySelector("summary").click();
        setTimeout(() => {
          must(document.querySelector(`${inside} .uplot`), "a scenario does not open again");
          did.push("close and open");
          document.body.dataset.read = did.join(", ");
        }, 100);
      }, 100);
    }, 100);
  }, 100);
}
