// Asks before something is changed. Escape and Cancel leave everything as it is.

import { h, refill } from "./dom.js";

// Fields: { name, label, type, value, placeholder, required, min }. Resolves to what was entered, or null.
export function asked({ title, text, fields = [], action, danger = false, act }) {
  return new Promise((resolve) => {
    const wrong = h("p", { class: "notice bad", role: "alert", hidden: true });
    const inputs = fields.map((field) => {
      const { label, name, ...rest } = field;
      return { name, label, input: h("input", { name, autocomplete: "off", ...rest }) };
    });
    const go = h("button", { class: `btn ${danger ? "danger" : "primary"}`, type: "submit" }, action);
    const form = h(
      "form",
      { method: "dialog" },
      h("h2", {}, title),
      text ? h("p", { class: "muted" }, text) : null,
      inputs.map(({ label, input }) => h("label", { class: "field" }, label, input)),
      wrong,
      h("div", { class: "row" }, h("span", { class: "push" }), h("button", { class: "btn", type: "button", on: { click: () => box.close() } }, "Cancel"), go),
    );
    const box = h("dialog", { "aria-label": title }, form);
    let given = null;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const values = Object.fromEntries(inputs.map(({ name, input }) => [name, input.value.trim()]));
      go.disabled = true;
      try {
        await act?.(values);
        given = values;
        box.close();
      } catch (error) {
        refill(wrong, error.message);
        wrong.hidden = false;
      }
      go.disabled = false;
    });
    box.addEventListener("close", () => {
      box.remove();
      resolve(given);
    });
    document.body.append(box);
    box.showModal();
    inputs[0]?.input.focus();
  });
}

// Something to read, with a button to close it.
export function told(title, ...children) {
  const close = h("button", { class: "btn primary push", type: "button", on: { click: () => box.close() } }, "Close");
  const box = h("dialog", { "aria-label": title }, h("div", { class: "stack" }, h("h2", {}, title), children, h("div", { class: "row" }, close)));
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
  return box;
}
