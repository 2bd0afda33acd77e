// Makes the page live. All words are in the HTML that the server made; here is only what moves.

import { listen } from "./live.js";
import { startComposer } from "./composer.js";
import { post } from "./post.js";

const { as: persona, chat, zone } = document.body.dataset;
const stream = document.getElementById("stream");
const entries = document.getElementById("entries");
const toNewest = document.getElementById("to-newest");
const formSlot = document.getElementById("form-slot");

// --- messages ------------------------------------------------------------------------------------

const isAtEnd = () => stream.scrollHeight - stream.scrollTop - stream.clientHeight < 80;

function scrollToEnd() {
  stream.scrollTop = stream.scrollHeight;
  toNewest.hidden = true;
}

function showEntry({ id, html }) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const entry = template.content.firstElementChild;
  const before = document.getElementById(id);
  const wasAtEnd = isAtEnd();
  if (before) {
    before.replaceWith(entry);
  } else {
    entry.classList.add("is-new");
    entries.append(entry);
  }
  document.getElementById("empty").hidden = true;
  if (wasAtEnd || entry.classList.contains("is-mine")) scrollToEnd();
  else if (!before) toNewest.hidden = false;
}

toNewest.addEventListener("click", scrollToEnd);
stream.addEventListener("scroll", () => { if (isAtEnd()) toNewest.hidden = true; }, { passive: true });
// The keyboard of a phone makes the window lower; what was read stays in sight.
new ResizeObserver(() => { if (toNewest.hidden) scrollToEnd(); }).observe(stream);

// --- badges --------------------------------------------------------------------------------------

function showCounts({ chats, personas }) {
  const counts = { "chat-direct": chats[persona] };
  for (const [id, count] of Object.entries(chats)) if (id !== persona) counts[`chat-${id}`] = count;
  for (const [id, count] of Object.entries(personas)) counts[`persona-${id}`] = count;
  counts[`persona-${persona}`] = 0;
  let any = 0;
  for (const badge of document.querySelectorAll("[data-count]")) {
    const count = counts[badge.dataset.count] ?? 0;
    badge.textContent = count > 99 ? "99+" : count;
    badge.hidden = count === 0;
    any += count;
  }
  for (const dot of document.querySelectorAll("[data-any-unread]")) dot.hidden = any === 0;
}

// --- the clock -----------------------------------------------------------------------------------

const language = document.documentElement.lang;
const timeFormat = new Intl.DateTimeFormat(language, {
  timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23",
});
const dayFormat = new Intl.DateTimeFormat(language, {
  timeZone: zone, month: "short", day: "numeric", weekday: "short",
});
let ahead = 0;

function showClock() {
  const now = new Date(Date.now() + ahead);
  for (const face of document.querySelectorAll("[data-clock]")) {
    const shown = (face.dataset.clock === "day" ? dayFormat : timeFormat).format(now);
    if (face.textContent !== shown) face.textContent = shown;
  }
}

function setClock({ now }) {
  ahead = Date.parse(now) - Date.now();
  showClock();
}

setClock(document.body.dataset);
setInterval(showClock, 1000);

// --- forms, buttons and the clock's pushes -------------------------------------------------------

function openDialog() {
  const dialog = formSlot.querySelector("dialog");
  if (!dialog) return;
  dialog.removeAttribute("open");
  dialog.showModal();
  (dialog.querySelector("[aria-invalid]") ?? dialog.querySelector("input:not([type=hidden]), textarea, select"))?.focus();
  // Esc puts the form away on the server too.
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    dialog.querySelector("[name=cancel]").click();
  });
}

function showForm({ html }) {
  formSlot.innerHTML = html;
  if (html) openDialog();
  else document.getElementById("text").focus({ preventScroll: true });
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!("post" in form.dataset)) return;
  event.preventDefault();
  if (form.dataset.busy) return;
  form.dataset.busy = "yes";
  event.submitter?.setAttribute("aria-busy", "true");
  const error = form.querySelector("[data-post-error]");
  const why = await post(form, event.submitter, error);
  if (why === null && "clear" in form.dataset) form.reset();
  event.submitter?.removeAttribute("aria-busy");
  delete form.dataset.busy;
});

// --- theme ---------------------------------------------------------------------------------------

for (const button of document.querySelectorAll("[data-theme-choice]")) {
  button.addEventListener("click", () => {
    const theme = button.dataset.themeChoice;
    document.documentElement.dataset.theme = theme;
    document.cookie = `banzhang_sandbox_theme=${theme}; max-age=31536000; path=/; samesite=lax`;
    for (const one of document.querySelectorAll("[data-theme-choice]")) {
      one.setAttribute("aria-pressed", String(one === button));
    }
  });
}

// --- start ---------------------------------------------------------------------------------------

scrollToEnd();
openDialog();
startComposer(`draft ${persona} ${chat}`);
listen({ entry: showEntry, counts: showCounts, clock: setClock, form: showForm, reload: () => location.reload() });
