"use strict";
const $ = (id) => document.getElementById(id);
const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

function say(text, wrong = false) {
  $("status").textContent = text;
  $("status").classList.toggle("wrong", wrong);
}

/** An element with text or children; nothing is ever parsed as HTML. */
function element(name, facts = {}, ...children) {
  const made = Object.assign(document.createElement(name), facts);
  made.append(...children);
  return made;
}

/** Asks the server; keeps trying while it cannot be reached. Throws an Error for people if refused. */
async function ask(method, path, body, secret) {
  for (let wait = 0.5; ; wait = Math.min(5, 2 * wait)) {
    let response;
    try {
      response = await fetch(path, {
        method, cache: "no-store", signal: AbortSignal.timeout(20000),
        headers: { ...(body && { "Content-Type": "application/json" }), ...(secret && { Authorization: `Bearer ${secret}` }) },
        body: body && JSON.stringify(body),
      });
      if (response.status < 500 && response.status !== 429) { // 429: a proxy asks to wait.
        const text = await response.text();
        const answer = response.headers.get("Content-Type")?.includes("json") ? JSON.parse(text) : text;
        if (!response.ok) throw Object.assign(new Error(answer.error ?? "The server refused that."), { status: response.status });
        return answer;
      }
    } catch (error) {
      if (error.status) throw error;
    }
    say("No connection to the server. Trying again …", true);
    await pause(wait * (0.5 + Math.random() / 2)); // Not all pages at once.
  }
}

function download(name, text, type) {
  const link = element("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
