// Sends forms without leaving the page.

/** A key that makes a repeated request be done once. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Send a form, tried twice with one key. Gives null, or the sentence that was shown because it failed. */
export async function post(form, submitter, errorPlace) {
  const place = errorPlace ?? document.getElementById("failed");
  const body = new URLSearchParams(new FormData(form, submitter));
  body.set("key", newKey());
  const why = (await sent(form, body)) ?? (await sent(form, body));
  const sentence = why ?? document.getElementById("failed").dataset.lost;
  place.textContent = sentence;
  place.hidden = sentence === "";
  return sentence === "" ? null : sentence;
}

/** "" when it was taken, a sentence when it was refused, null when the line broke. */
async function sent(form, body) {
  try {
    const response = await fetch(form.getAttribute("action"), {
      method: "POST", body, headers: { accept: "application/json" },
    });
    const answer = await response.json();
    return response.ok ? "" : answer.error;
  } catch {
    return null;
  }
}
