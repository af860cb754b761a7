// The officer's page. A document has one key from the moment it is handed in; the address of the
// page names it, and every question about it carries it. So nothing is asked twice, whatever is
// clicked, reloaded or lost.

const $ = (id) => document.getElementById(id);
const put = (id, text = "") => $(id).textContent !== text && ($(id).textContent = text);
const seconds = (count) => new Promise((wake) => setTimeout(wake, count * 1000));

const SENT = { title: "Sent", body: "Your document is here. You do not need to send it again." };
const COMING = { title: "Answering", body: "The answer is coming in." };
const CHECKED = { title: "Checked", body: "The answer is complete." };
const LOST = {
  title: "The service cannot be reached",
  body: "Nothing is lost, and you do not need to do anything. This page looks again by itself.",
};
const STATES = {
  queued: "waiting",
  running: "being checked",
  done: "checked",
  failed: "not checked",
  cancelled: "stopped",
  interrupted: "cut short",
};

let reading = new AbortController(); // one document is followed at a time
let ticking, looking; // timers of the countdown and of the list

async function api(method, path, body) {
  const headers = { "content-type": "application/json" };
  const reply = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const data = reply.status === 204 ? null : await reply.json();
  if (!reply.ok) throw new Error(typeof data.detail === "string" ? data.detail : "Try again.");
  return data;
}

async function* eventsOf(reply) {
  const chunks = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ; ) {
    const { value, done } = await chunks.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const [data, id] = block.split("\n");
      if (!id?.startsWith("id: ")) continue; // a heartbeat, or [DONE]
      yield { id: id.slice(4), ...JSON.parse(data.slice(6)) };
    }
  }
}

/** Tell what is going on; the buttons are there while they have something to do. */
function tell(notice, { wait = 0, act = null, stop = null } = {}) {
  $("notice").dataset.severity = notice.severity ?? "info";
  put("notice-title", notice.title);
  put("notice-body", notice.body);
  put("act", notice.primary_action_label);
  [$("act").hidden, $("act").onclick] = [!act, act];
  [$("stop").hidden, $("stop").onclick] = [!stop, stop];
  countDown(wait);
}

function countDown(left) {
  clearTimeout(ticking);
  put("countdown", left > 0 ? `${left} s` : "");
  if (left > 0) ticking = setTimeout(countDown, 1000, left - 1);
}

/** It ended without an answer: what happened, and what the officer can do about it. */
function fail(notice, entry) {
  const again = () => follow(entry, { again: true }); // with the same key: it replaces what failed
  const edit = () => {
    [$("title").value, $("text").value] = [entry.title, JSON.parse(entry.question).message];
    location.hash = "";
  };
  const act = { retry: again, wait: again, edit_input: edit }[notice.primary_action_type];
  tell(notice, { wait: notice.retry_countdown_seconds ?? 0, act });
}

/** Show one event; true where it was the last. */
function show(event, entry) {
  const stop = () => api("DELETE", `/api/requests/${entry.request_id}`).catch(() => {});
  switch (event.type) {
    case "status": tell(event.notice, { wait: event.retry_in_seconds ?? 0, stop }); return false;
    case "restart": put("answer"); return false;
    case "text": $("answer").append(event.text); tell(COMING, { stop }); return false;
    case "done": tell(event.notice ?? CHECKED); return true;
    case "stream_interrupted":
    case "error": fail(event.error, entry); return true;
  }
}

/** Read to the end, however often the connection breaks. `again` asks anew after a failure. */
async function follow(entry, { again = false } = {}) {
  reading.abort();
  const { signal } = (reading = new AbortController());
  if (!again) put("answer");
  tell(SENT);
  let last = 0, wait = 1, ask = again || !entry.request_id;
  while (!signal.aborted) {
    try {
      const reply = await (ask ? asked(entry, signal) : resumed(entry, last, signal));
      if (reply.status === 204) return await look(entry);
      if (!reply.ok) return refused(reply.status, await reply.json(), entry);
      await tie(entry, reply.headers.get("x-request-id"));
      ask = false;
      list();
      for await (const event of eventsOf(reply)) {
        [last, wait] = [event.id, 1];
        if (show(event, entry)) return list();
      }
    } catch {
      // No connection, or a proxy's own page: the document is safe with its key.
    }
    if (signal.aborted) return;
    tell(LOST, { wait });
    await seconds(wait);
    wait = Math.min(2 * wait, 30);
  }
}

const asked = (entry, signal) => fetch("/api/chat/stream", {
  method: "POST",
  headers: { "content-type": "application/json", "idempotency-key": entry.key },
  body: entry.question,
  signal,
});

const resumed = (entry, last, signal) =>
  fetch(`/api/requests/${entry.request_id}/stream`, { headers: { "last-event-id": last }, signal });

/** The record of this application knows its request from now on. */
async function tie(entry, request_id) {
  if (entry.request_id === request_id) return;
  await api("PUT", `/documents/${entry.key}/request`, { request_id });
  entry.request_id = request_id;
}

/** There is no stream: a notice is in its place, or it passes, or it says what is wrong. */
function refused(status, body, entry) {
  if (body.error) return fail(body.error, entry);
  if (status === 429 || status >= 500) throw new Error(body.detail);
  tell({ title: "This did not work.", body: body.detail, severity: "warning" });
}

/** Show a document as it is; nothing is asked anew. */
async function look(entry) {
  const state = await api("GET", `/api/requests/${entry.request_id}`);
  if (["queued", "running"].includes(state.status)) return follow(entry);
  if (!$("answer").textContent) put("answer", state.text); // what is shown stays
  if (state.status === "done") tell(state.result?.notice ?? CHECKED);
  else fail(state.notice, entry);
}

/** Show what the address names: a document, or the form for another one. */
async function open() {
  reading.abort();
  const key = location.hash.slice(1);
  [$("entry").hidden, $("document").hidden] = [Boolean(key), !key];
  list();
  put("answer");
  tell({});
  if (!key) return;
  try {
    const entry = await api("GET", `/documents/${encodeURIComponent(key)}`);
    if (key !== location.hash.slice(1)) return; // another one was opened meanwhile
    put("heading", entry.title);
    $("heading").focus();
    await (entry.request_id ? look(entry) : follow(entry));
  } catch (error) {
    tell({ title: "This cannot be shown.", body: error.message, severity: "warning" });
  }
}

/** This officer's documents; shown again for as long as one of them is under way. */
async function list() {
  clearTimeout(looking);
  const stateOf = ({ request_id }) => request_id
    ? api("GET", `/api/requests/${request_id}`).then(({ status }) => STATES[status])
    : "not sent";
  const entries = await api("GET", "/documents").catch(() => null);
  if (!entries) return; // no connection: what is shown stays
  const found = await Promise.allSettled(entries.map(stateOf));
  const states = found.map((each) => each.value ?? "not known");
  $("documents").replaceChildren(...entries.map(({ key, title }, n) => {
    const line = document.createElement("li"), link = document.createElement("a");
    [link.href, link.textContent] = [`#${key}`, title];
    line.append(link, `: ${states[n]}`);
    return line;
  }));
  const busy = states.some((each) => [STATES.queued, STATES.running].includes(each));
  clearTimeout(looking);
  if (busy) looking = setTimeout(list, 5000);
}

$("entry").oninput = () => sessionStorage.removeItem("draft"); // another text is another document
$("entry").onsubmit = async (event) => {
  event.preventDefault();
  const key = (sessionStorage.draft ??= crypto.randomUUID());
  try {
    await api("PUT", `/documents/${key}`, { title: $("title").value, text: $("text").value });
  } catch (error) {
    return put("problem", error.message);
  }
  sessionStorage.removeItem("draft");
  event.target.reset();
  put("problem");
  location.hash = key;
};

$("sign-in").onsubmit = async (event) => {
  event.preventDefault();
  await api("PUT", "/session", { name: $("officer").value });
  location.reload();
};
$("sign-out").onclick = async () => {
  await api("DELETE", "/session");
  location.replace("/");
};

addEventListener("hashchange", open);
const who = await api("GET", "/session").catch(() => null);
$("sign-in").hidden = who !== null;
$("who").hidden = $("list").hidden = who === null;
if (who) {
  put("name", who.name);
  await open();
}
