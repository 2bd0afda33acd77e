// The line to the server: server-sent events, taken up again where they broke off.

const RETRY = 2000;

/** Call `handlers[name](data)` for every event, for as long as the page is open. */
export function listen(handlers) {
  const { as: persona, chat, profile } = document.body.dataset;
  const offline = document.getElementById("offline");
  let last = document.body.dataset.last;
  let source;

  function connect() {
    source = new EventSource(`/live?${new URLSearchParams({ as: persona, chat, profile, last })}`);
    source.addEventListener("open", () => { offline.hidden = true; });
    source.addEventListener("error", () => {
      offline.hidden = false;
      // The browser tries again by itself, but for answers that it takes for final.
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, RETRY);
    });
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        if (event.lastEventId) last = event.lastEventId;
        handle(JSON.parse(event.data));
      });
    }
  }

  // Else a browser shows the broken line for a moment when the page is left.
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  connect();
}
