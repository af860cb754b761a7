import { setTimeout as sleep } from "node:timers/promises"
import { afterEach, expect, test, vi } from "vitest"
import { isEnd, newKey, resumeChat, sendChat, storedIntent } from "../client.js"
import { answer, breaks, frame, ID, resets, resumes, says, sends, service, stalls, storage } from "./server.js"

const QUICK = { baseMs: 2, storage: null }
const WORDS = ["A payslip ", "proves ", "what you ", "earn: 3 000 €."]

/** All events of an answer. */
async function all(events) {
  const found = []
  for await (const event of events) found.push(event)
  return found
}
const textOf = (events) => events.map((event) => event.text ?? "").join("")

function whole(events) {
  expect(textOf(events)).toBe(WORDS.join(""))
  expect(events.filter(isEnd)).toHaveLength(1)
  expect(events.at(-1).type).toBe("done")
}

afterEach(() => {
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

/** The waits that are asked for, none of which is taken. */
function waits() {
  const later = globalThis.setTimeout
  const asked = []
  vi.spyOn(globalThis, "setTimeout").mockImplementation((work, ms, ...rest) => {
    // fetch has timers of its own, and the client one for silence.
    const wait = ms < 45_000 && /client\.js/.test(new Error().stack)
    if (wait) asked.push(ms)
    return later(work, wait ? 0 : ms, ...rest)
  })
  return asked
}

test("an answer comes as its events, asked with a key and all fields", async () => {
  const it = await service(sends(...answer(...WORDS)))
  const told = []
  const history = [{ role: "user", content: "Hello" }]
  const events = await all(sendChat(it.url, "A payslip?", { ...QUICK, history, locale: "de", onEvent: (event) => told.push(event) }))
  whole(events)
  expect(told).toEqual(events)
  expect(it.seen).toHaveLength(1)
  expect(it.seen[0].headers["idempotency-key"]).toMatch(/^[\w-]{20,}$/)
  expect(JSON.parse(it.seen[0].body)).toEqual({ message: "A payslip?", history, locale: "de" })
})

test("each call has its own key, unless it is told one", async () => {
  const it = await service(sends(...answer("x")))
  for (const key of [undefined, undefined, "mine"]) await all(sendChat(it.url, "?", { ...QUICK, key }))
  const keys = it.seen.map((request) => request.headers["idempotency-key"])
  expect(new Set(keys).size).toBe(3)
  expect(keys[2]).toBe("mine")
})

test("a page without TLS has keys too", () => {
  vi.stubGlobal("crypto", { getRandomValues: (array) => array.fill(7) })
  expect(newKey()).toBe("7-7-7-7")
})

test.each(["reset", "ended early"])("a connection that is %s goes on after the last event", async (how) => {
  const frames = answer(...WORDS)
  const cut = how === "reset" ? breaks : sends
  const it = await service(cut(...frames.slice(0, 3)), resumes(frames))
  whole(await all(sendChat(it.url, "?", QUICK)))
  expect(it.seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
    "POST /api/chat/stream",
    `GET /api/requests/${ID}/stream`,
  ])
  expect(it.seen[1].headers["last-event-id"]).toBe("3")
})

test("an id that the headers do not show is read from the first event", async () => {
  const frames = answer(...WORDS)
  const hidden = (reply) => {
    const { writeHead } = reply
    reply.writeHead = (status, headers) => writeHead.call(reply, status, { "content-type": headers["content-type"] })
    breaks(...frames.slice(0, 3))(reply)
  }
  const it = await service(hidden, resumes(frames))
  whole(await all(sendChat(it.url, "?", QUICK)))
  expect(it.seen[1].url).toBe(`/api/requests/${ID}/stream`)
})

test("what comes twice is given out once", async () => {
  const frames = answer(...WORDS)
  const it = await service(breaks(...frames.slice(0, 4)), sends(...frames))
  whole(await all(sendChat(it.url, "?", QUICK)))
})

test("a connection lost again and again, one event at a time", async () => {
  const frames = answer(...WORDS)
  const one = (reply, request) => resumes(frames, (first) => (first ? breaks(first) : sends()))(reply, request)
  const it = await service(one)
  whole(await all(sendChat(it.url, "?", QUICK)))
})

test("lost before its id is known, it is the same POST with the same key", async () => {
  const it = await service(resets(), resets(), sends(...answer(...WORDS)))
  const events = await all(sendChat(it.url, "?", QUICK))
  whole(events)
  expect(it.seen.map(({ method, body, headers }) => [method, body, headers["idempotency-key"]])).toEqual(
    Array(3).fill(["POST", '{"message":"?"}', it.seen[0].headers["idempotency-key"]]),
  )
})

test("frames cut anywhere, characters too, are read whole", async () => {
  const it = await service(async (reply) => {
    reply.writeHead(200, { "content-type": "text/event-stream", "x-request-id": ID })
    for (const byte of Buffer.from(`: hi\n\n${answer("日本", "€", "🙂").join("")}data: [DONE]\n\n`)) {
      reply.write(Buffer.of(byte))
      await sleep(0)
    }
    reply.end()
  })
  expect(textOf(await all(sendChat(it.url, "?", QUICK)))).toBe("日本€🙂")
})

test("a silent connection is given up and taken up again", async () => {
  const frames = answer(...WORDS)
  const it = await service(stalls(...frames.slice(0, 2)), resumes(frames))
  whole(await all(sendChat(it.url, "?", { ...QUICK, silenceMs: 60 })))
})

test("a service that is down is told once it is sure, and has its one end", async () => {
  const it = await service(resets())
  const events = await all(sendChat(it.url, "?", { ...QUICK, tries: 4 }))
  expect(it.seen).toHaveLength(4)
  expect(events.map(({ type, client }) => [type, client])).toEqual([
    ["status", "lost"],
    ["status", "lost"],
    ["error", "down"],
  ])
  expect(events[2]).toMatchObject({ retryable: true, action: "retry", tokens_before_error: 0 })
  expect(events[2].error.title).toBe("The assistant cannot be reached")
})

test("what was shown is counted when the service is gone for good", async () => {
  const it = await service(breaks(...answer("🙂 a", "b").slice(0, 3)), resets())
  const events = await all(sendChat(it.url, "?", { ...QUICK, tries: 2 }))
  expect(events.at(-1)).toMatchObject({ type: "stream_interrupted", tokens_before_error: 2, chars_before_error: 4 })
  expect(events.at(-1).error.reference).toBe(ID)
})

test("connected again, the person is not left with words of a lost connection", async () => {
  const frames = answer(...WORDS)
  const it = await service(breaks(frames[0]), resets(), resumes(frames))
  const events = await all(sendChat(it.url, "?", QUICK))
  const says = events.filter((event) => event.type === "status").map((event) => event.client)
  expect(says).toEqual(["lost", undefined])
  whole(events)
})

test("waits are drawn from zero to a bound that doubles, up to its cap", async () => {
  const asked = waits()
  vi.spyOn(Math, "random").mockReturnValue(0.5)
  const it = await service(resets())
  await all(sendChat(it.url, "?", { storage: null, baseMs: 500, capMs: 3000, tries: 7 }))
  expect(asked).toEqual([250, 500, 1000, 1500, 1500, 1500])
})

test.each([
  ["seconds in a header", () => ({ "retry-after": "9" }), {}],
  ["a date in a header", () => ({ "retry-after": new Date(Date.now() + 19_000).toUTCString() }), {}],
  ["the body", () => ({}), { retry_in_seconds: 9 }],
])("told to wait by %s, it says so and does not come sooner", async (_where, headers, body) => {
  const asked = waits()
  vi.spyOn(Math, "random").mockReturnValue(0)
  const it = await service(says(503, body, headers()), sends(...answer(...WORDS)))
  const events = await all(sendChat(it.url, "?", QUICK))
  expect(asked).toHaveLength(1)
  expect(asked[0]).toBeGreaterThan(5000)
  expect(events[0]).toMatchObject({ type: "status", client: "lost", retry_in_seconds: Math.ceil(asked[0] / 1000) })
  whole(events)
})

test("told to wait for minutes, it ends at once, with the service's own words", async () => {
  const error = { title: "Back soon", body: "We are making room.", primary_action_type: "wait", reference: "req_1" }
  const it = await service(says(503, { error, retryable: true, retry_in_seconds: 300 }, { "retry-after": "300" }))
  const events = await all(sendChat(it.url, "?", QUICK))
  expect(events).toHaveLength(1)
  expect(events[0]).toMatchObject({ type: "error", error, action: "wait", retryable: true, retry_in_seconds: 300 })
})

test.each([
  [422, "refused", "edit_input"],
  [401, "denied", "contact_support"],
])("a question that is not taken (%i) is not sent again", async (status, client, action) => {
  const it = await service(says(status, { detail: "message: must not be empty" }))
  const events = await all(sendChat(it.url, "?", QUICK))
  expect(it.seen).toHaveLength(1)
  expect(events).toHaveLength(1)
  expect(events[0]).toMatchObject({ type: "error", client, action, retryable: false, detail: "message: must not be empty" })
})

test("a page in the place of the answer, as a hotel's network gives, is no answer", async () => {
  const page = (reply) => (reply.writeHead(200, { "content-type": "text/html" }), reply.end("<h1>Log in"))
  const it = await service(page, sends(...answer(...WORDS)))
  whole(await all(sendChat(it.url, "?", QUICK)))
})

test("a reload goes on: from the beginning, or after what was read", async () => {
  const frames = answer(...WORDS)
  const it = await service(sends(...frames.slice(0, 3)), resumes(frames))
  const kept = storage()
  const options = { ...QUICK, storage: kept }
  for await (const event of sendChat(it.url, "A payslip?", options)) if (event.type === "text") break
  expect(JSON.parse(storedIntent(options).body).message).toBe("A payslip?")
  expect(textOf(await all(resumeChat({ ...options, storage: { ...kept, removeItem: () => {} }, after: true })))).toBe(WORDS.slice(1).join(""))
  expect(it.seen.at(-1).headers["last-event-id"]).toBe("2")
  whole(await all(resumeChat(options)))
  expect(it.seen.at(-1).headers["last-event-id"]).toBeUndefined()
  expect(resumeChat(options)).toBeNull()
  expect(it.seen.filter(({ method }) => method === "POST")).toHaveLength(1)
})

test("a reload before the id was known sends the same POST", async () => {
  const it = await service(resets(), sends(...answer(...WORDS)))
  const options = { ...QUICK, storage: storage() }
  await all(sendChat(it.url, "?", { ...options, tries: 1 }))
  whole(await all(resumeChat(options)))
  expect(it.seen[1].headers["idempotency-key"]).toBe(it.seen[0].headers["idempotency-key"])
})

test.each([
  ["done", { result: { response: "Hello", level: "full" }, text: "Hello" }, "done"],
  ["interrupted", { notice: { title: "Cut", body: "…", primary_action_type: "retry" }, retryable: true, actions: [] }, "stream_interrupted"],
])("where the stream has nothing more, the status says how it ended: %s", async (status, body, type) => {
  const frames = answer("Hello")
  const it = await service(breaks(...frames.slice(0, 2)), says(204), says(200, { status, ...body }))
  const events = await all(sendChat(it.url, "?", QUICK))
  expect(textOf(events)).toBe("Hello")
  expect(events.filter(isEnd).map((event) => event.type)).toEqual([type])
})

test("a service that has forgotten the request is asked anew, and the text is taken back", async () => {
  const frames = answer(...WORDS)
  const it = await service(breaks(...frames.slice(0, 3)), says(404, {}), sends(...frames))
  const events = await all(sendChat(it.url, "?", QUICK))
  const restart = events.findIndex((event) => event.type === "restart")
  expect(restart).toBeGreaterThan(0)
  whole(events.slice(restart))
})

test("aborting ends it at once, cancels the request and leaves nothing behind", async () => {
  const it = await service(stalls(...answer(...WORDS).slice(0, 2)))
  const leave = new AbortController()
  const options = { ...QUICK, storage: storage(), signal: leave.signal }
  const reading = all(sendChat(it.url, "?", { ...options, onEvent: (event) => event.type === "text" && leave.abort() }))
  await expect(reading).rejects.toMatchObject({ name: "AbortError" })
  await vi.waitFor(() => expect(it.seen.at(-1)).toMatchObject({ method: "DELETE", url: `/api/requests/${ID}` }))
  expect(options.storage.kept.size).toBe(0)
})

test("aborted before the id is known, it is cancelled once it is", async () => {
  const leave = new AbortController()
  let go
  const slow = new Promise((resolve) => (go = resolve))
  const it = await service(async (reply) => {
    leave.abort()
    await slow
    stalls(...answer("x").slice(0, 1))(reply)
  })
  await expect(all(sendChat(it.url, "?", { ...QUICK, signal: leave.signal }))).rejects.toMatchObject({ name: "AbortError" })
  expect(it.seen).toHaveLength(1)
  go()
  await vi.waitFor(() => expect(it.seen.at(-1).method).toBe("DELETE"))
})

test("aborted while it waits, it does not try again", async () => {
  const it = await service(says(503, {}, { "retry-after": "15" }))
  const leave = new AbortController()
  const reading = all(sendChat(it.url, "?", { ...QUICK, signal: leave.signal, onEvent: () => leave.abort() }))
  await expect(reading).rejects.toMatchObject({ name: "AbortError" })
  expect(it.seen).toHaveLength(1)
})

test("an aborted signal asks nothing", async () => {
  const it = await service(sends(...answer("x")))
  await expect(all(sendChat(it.url, "?", { ...QUICK, signal: AbortSignal.abort() }))).rejects.toThrow()
  expect(it.seen).toHaveLength(0)
})

test("offline is told apart, waits for the network and counts no tries", async () => {
  const device = new EventTarget()
  vi.stubGlobal("navigator", { onLine: false })
  vi.stubGlobal("addEventListener", device.addEventListener.bind(device))
  const it = await service(resets(), sends(...answer(...WORDS)))
  const events = []
  for await (const event of sendChat(it.url, "?", { storage: null, tries: 1, capMs: 600_000 })) {
    events.push(event)
    if (event.client === "offline") {
      setTimeout(() => {
        vi.stubGlobal("navigator", { onLine: true })
        device.dispatchEvent(new Event("online"))
      })
    }
  }
  expect(events.filter(({ type }) => type === "status").map(({ client }) => client)).toEqual(["offline", undefined])
  whole(events)
})

test("a full or forbidden storage stops nothing", async () => {
  const refuse = () => {
    throw new DOMException("full", "QuotaExceededError")
  }
  const it = await service(sends(...answer(...WORDS)))
  whole(await all(sendChat(it.url, "?", { storage: { getItem: refuse, setItem: refuse, removeItem: refuse } })))
})

test("events that are not known yet are passed on", async () => {
  const it = await service(sends(frame(1, { type: "news", of: "tomorrow" }), ...answer(...WORDS).map((each) => each.replace(/\d+/, (n) => +n + 1))))
  const events = await all(sendChat(it.url, "?", QUICK))
  expect(events[0]).toEqual({ type: "news", of: "tomorrow" })
  whole(events)
})
