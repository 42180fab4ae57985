// Whatever goes wrong on this page is written at its top: a page that is half drawn must not look whole.
"use strict";

function complain(what) {
  const box = document.getElementById("errors");
  const line = document.createElement("p");
  line.textContent = what;
  box.append(line);
}

window.onerror = (message, _, line, column, error) => {
  complain(`${message} (${line}:${column}) ${error && error.stack ? error.stack : ""}`);
};
window.addEventListener("unhandledrejection", (event) => complain(String(event.reason)));
