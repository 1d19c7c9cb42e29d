"use strict";
// The contact sheet's form: a digit for a picture moves on to the next one; saving writes what `train --add` reads.
const fields = [...document.querySelectorAll("[data-pixels]")];
const save = document.getElementById("save");
let isSaved = true;

function labelled() {
  return fields.filter((field) => /^[0-9]$/.test(field.value));
}

function shown() {
  const count = labelled().length;
  save.disabled = count === 0;
  save.textContent = `Save ${count} of ${fields.length} labels as corrected.csv`;
}

fields.forEach((field, place) => {
  field.addEventListener("focus", () => field.select());
  field.addEventListener("input", () => {
    field.value = field.value.replace(/[^0-9]/g, "").slice(-1);
    isSaved = false;
    shown();
    if (field.value && place + 1 < fields.length) fields[place + 1].focus();
  });
});

save.addEventListener("click", () => {
  const header = ["number", "label", ...Array.from({ length: 784 }, (_, index) => `pixel${index}`)];
  const lines = labelled().map((field) => {
    const pixels = Array.from(atob(field.dataset.pixels), (byte) => byte.charCodeAt(0));
    return [field.dataset.number, field.value, ...pixels].join(",");
  });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([[header.join(","), ...lines, ""].join("\n")], { type: "text/csv" }));
  link.download = "corrected.csv";
  link.click();
  isSaved = true;
});

window.addEventListener("beforeunload", (event) => {
  if (!isSaved) event.preventDefault();
});
shown();
