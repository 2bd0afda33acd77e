// The line to type in: grows, keeps drafts, sends with Enter, takes suggestions.

import { post } from "./post.js";

/** Bring the composer to life; `draftName` is where an unsent line is kept while the tab is open. */
export function startComposer(draftName) {
  const form = document.getElementById("composer");
  const text = document.getElementById("text");
  const addressed = form.elements.namedItem("addressed");

  function fit() {
    text.style.height = "auto";
    text.style.height = `${Math.min(text.scrollHeight, 168)}px`;
    form.classList.toggle("has-text", text.value.trim() !== "");
  }

  function fill(line) {
    text.value = line;
    sessionStorage.setItem(draftName, line);
    fit();
    text.focus();
    text.setSelectionRange(line.length, line.length);
  }

  async function send() {
    const line = text.value;
    if (line.trim() === "") return;
    // The line is taken off at once, so that the next can be typed; it comes back if it is refused.
    const sending = post(form, null, null);
    text.value = "";
    sessionStorage.removeItem(draftName);
    fit();
    text.focus();
    const failed = (await sending) !== null;
    if (failed && text.value === "") fill(line);
  }

  text.addEventListener("input", () => {
    sessionStorage.setItem(draftName, text.value);
    fit();
  });
  text.addEventListener("keydown", (event) => {
    // While an input method composes, Enter chooses a word.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    send();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  document.addEventListener("click", (event) => {
    const suggestion = event.target.closest("[data-fill]");
    if (suggestion) fill(suggestion.dataset.fill);
  });

  if (addressed) {
    const name = "addressed";
    addressed.checked = sessionStorage.getItem(name) !== "no";
    addressed.addEventListener("change", () => {
      sessionStorage.setItem(name, addressed.checked ? "yes" : "no");
      text.focus();
    });
  }
  text.value = sessionStorage.getItem(draftName) ?? text.value;
  fit();
  if (matchMedia("(hover: hover)").matches && !document.querySelector("dialog[open]")) text.focus();
}
