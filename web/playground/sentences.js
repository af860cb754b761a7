/** Every event in a plain sentence, and why it is so. Text only: nothing here is ever HTML. */

/** What went wrong, for every reason a verdict can have. */
export const REASONS = {
  all_open: "every model is out at the moment",
  authentication: "the API key was not accepted",
  bad_call: "the request could not be built",
  bad_reply: "its reply made no sense",
  bad_request: "it did not accept the request",
  billing: "the account has no credit left, or reached its limit",
  cancelled: "the caller left",
  conflict: "it reported a conflict",
  connection: "it could not be reached",
  content_policy: "it may not answer this content",
  context_too_long: "the conversation is too long for it",
  deadline: "there was no time left",
  empty_answer: "its answer had no text",
  model_unavailable: "this account has no such model",
  no_answer: "it said nothing for too long",
  not_implemented: "it cannot do what was asked",
  overloaded: "it is overloaded",
  permission: "the API key may not do this",
  rate_limited: "too many requests",
  refusal: "it refused to answer",
  requests: "too many requests",
  saturated: "too many calls in flight here",
  server_error: "it had an internal error",
  stream_cut: "its answer broke off",
  suspended: "the account is on hold",
  thought_only: "its thought took all the tokens that the answer might have",
  tls: "its certificate is not to be trusted",
  tokens: "too many tokens a minute",
  too_large: "the request is too large for it",
  unavailable: "it is not available",
  unknown: "it failed in a way not known yet",
  upstream: "it gave up waiting for itself",
}

/** The categories, and what each means for the decision. */
export const CATEGORIES = {
  transient: ["Passing trouble", "This passes. Asking the same model again at once would add to its load, so another model is asked first; several such failures in a row open the breaker."],
  rate_limited: ["Too many requests", "The model said how many requests it takes. It is left alone for as long as it named, and others are asked meanwhile."],
  timeout: ["Silence", "No words came in time. Waiting on would take the person's time without hope, so the call is ended and the next model is asked. A silence counts as three failures."],
  content_policy: ["Refused content", "The model answered: it will not do this. Another model would most likely say the same, so the person is told, kindly, and can reword the question."],
  auth_error: ["Our own key or account", "The key or the account is the trouble, not the question. Trying again cannot help until the operator acts, so the account is left alone, and the operator is alerted."],
  permanent: ["Cannot work", "The same request would fail each time. It is not repeated."],
  unknown: ["Not known yet", "Nobody has seen this failure before. It is treated with care: another model may be asked, and it is logged to be looked at."],
}

const LEVELS = {
  full: "a model's own answer",
  cached: "a saved answer to the same question",
  rule: "a prepared answer",
  minimal: "a notice in plain words",
}

export const short = (target) => String(target).split("/").pop()
export const providerOf = (target) => String(target).split("/", 1)[0]
/** The rest, as the provider calls the model: it may have a slash in it. */
export const modelOf = (target) => String(target).slice(providerOf(target).length + 1)
export const seconds = (n) => (n < 1 ? `${Math.round(n * 1000)} ms` : `${n.toFixed(1)} s`)
export const reason = (name) => REASONS[name] ?? String(name).replaceAll("_", " ")

/**
 * What to say of an event: its sentence, its tone and its explanation; null where it is not worth a line.
 * @param {any} event
 * @returns {{ says: string, tone: string, why: string } | null}
 */
export function sentence(event) {
  const said = SENTENCES[event.type]?.(event)
  return said ? { says: said[0], tone: said[1], why: said[2] } : null
}

const SENTENCES = {
  RequestStarted: () => ["A question came in.", "", "It is written to a log on disk before any model is called, so that it is never lost and never asked twice. Its deadline begins now."],
  AttemptStarted: (e) => [`Call ${e.number}: ${short(e.target)} is asked.`, "", e.number === 1
    ? "The chain has the best model first. Models whose breaker is open are passed over."
    : "The same question, word for word, goes to the model that is best placed to answer it now."],
  AttemptFinished: finished,
  FellBack: (e) => [`Went on from ${short(e.from_target)} to ${short(e.to_target)}.`, "", providerOf(e.from_target) === providerOf(e.to_target)
    ? "The person noticed nothing but a short wait: as no words had been shown yet, another model could take over."
    : `Another provider takes over: ${providerOf(e.to_target)}. What takes one model of a provider down mostly takes all of them, so a chain has models of more than one.`],
  RetryScheduled: (e) => [`Waits ${seconds(e.wait_seconds)} before the next call.`, "wait", "Every model has been tried, so now waiting helps. The wait is random within bounds, so that thousands of waiting people do not come back at the same moment."],
  Benched: (e) => [`${short(e.scope)} is left alone for ${seconds(e.seconds)}: ${reason(e.reason)}.`, "wait", "The model, or its account, named a time or needs an operator. Nobody is made to wait for it: calls go elsewhere."],
  BreakerChanged: breaker,
  PeriodGaveWay: (e) => [`${seconds(e.period_seconds)} are too short for ${short(e.target)}: ${e.cuts} of ${e.calls} calls were cut.`, "wait", `How long to wait for first words is learned from the calls before. The model takes longer now, so it is given the full time for ${seconds(e.fixed_seconds)}, and its times are learned from the beginning.`],
  CacheLookedUp: (e) => [e.result === "miss" ? "No saved answer to this question." : "A saved answer to the same question was found.", "", "Complete answers are kept for a day. One is served only where the question is the same: a different number, date or “not” makes it a different question."],
  Degraded: (e) => [`Served: ${LEVELS[e.level] ?? String(e.level)}.`, "instead", "No model could answer in time. Something useful is better than an error: first a saved answer, then a prepared one, at last words that say what to do."],
  DuplicateJoined: () => ["The same question came a second time, and joined the first.", "good", "Both copies carry the same key, so they are one request: one call to a model, one record, one bill, and both windows see the same answer."],
  FaultInjected: (e) => [`${short(e.target)} fails on purpose: ${reason(e.reason)}.`, "", "Somebody asked for this failure by a header."],
  StoreChanged: store,
  RequestFinished: ended,
}

function finished(e) {
  if (e.outcome === "success") return [`${short(e.target)} answered in ${seconds(e.duration_seconds)}.`, "good", "First words matter most to a person: timers watch for words, never for mere signs of life on the line."]
  if (e.outcome === "cancelled") return [`The call to ${short(e.target)} was ended.`, "", "Nobody was waiting for it any more. It is ended at the model, too, so that it costs nothing further."]
  const [name, why] = CATEGORIES[e.category] ?? CATEGORIES.unknown
  return [`${short(e.target)} failed after ${seconds(e.duration_seconds)}: ${reason(e.reason)}.`, "bad", `${name}. ${why}`]
}

function breaker(e) {
  const model = short(e.target)
  if (e.to_state === "open") {
    const out = e.open_seconds ? ` for ${seconds(e.open_seconds)}` : ""
    return [`The breaker of ${model} opened: it is left out${out}.`, "bad", "It failed too often in a row. Calling it again would make people wait for nothing and add to its load; left alone it recovers sooner."]
  }
  if (e.to_state === "half_open") return [`The breaker of ${model} is half open: one call may try.`, "wait", "One question, and only one, finds out whether the model is back. If it fails, somebody else has answered it anyway."]
  return [`The breaker of ${model} closed: it is back.`, "good", "Its probe succeeded. Traffic returns little by little, and until a second call has succeeded one failure opens it again."]
}

function store({ store: name, up }) {
  const shared = name === "shared_state"
  const what = shared ? "The Redis" : `The store “${name}”`
  if (up) return [`${what} is back.`, "good", shared
    ? "The processes are of one mind again: what was counted alone is dropped, and what one of them had to leave out all leave out."
    : "It is used again."]
  return [`${what} is out of reach${shared ? ": each process goes on by itself" : ""}.`, "bad", `${shared
    ? "Through it all processes of a deployment share their breakers. Without it each decides by what it sees itself. "
    : ""}A store in trouble fails nobody's question, and none waits for it.`]
}

function ended(e) {
  const took = seconds(e.duration_seconds)
  if (e.outcome === "cancelled") return [`Stopped by the person after ${took}.`, "", "What was under way is ended at the model, too."]
  if (e.interrupted) return [`Cut short after ${took}. What was shown stays.`, "bad", "Words that somebody has read are never taken away or spliced with another model's. The notice says that it is not the whole answer, and one press tries again."]
  if (e.outcome !== "success") return [`Ended after ${took} with a notice: ${reason(e.reason)}.`, "bad", "The person is told what happened, whether they need to act, and what to do next. Never a code, never a blank screen."]
  if (e.level !== "full") return [`Answered after ${took} with ${LEVELS[e.level]}.`, "instead", "The person can see that this is not a fresh answer, and how old it is."]
  const tries = e.attempts === 1 ? "the first call" : `${e.attempts} calls`
  return [`Answered in ${took} by ${short(e.target)}, after ${tries}.`, "good", "The request ends exactly once, whatever happened on the way."]
}
