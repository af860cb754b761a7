/**
 * A client of the stream contract: one question, its answer as events, whatever happens to the
 * connection. Nothing is asked twice, no text is repeated or lost, and there is one end.
 *
 * For browsers and Node 20 or later; it needs nothing else.
 */
export type Notice = {
    title: string;
    body: string;
    primary_action_label: string;
    primary_action_type: ActionType;
    retry_countdown_seconds: number | null;
    show_status_page_link: boolean;
    severity: "info" | "warning" | "error";
    /**
     * what a person tells support: the request's id
     */
    reference: string;
    locale: string;
};
export type ActionType = "retry" | "edit_input" | "contact_support" | "wait" | "continue";
export type StartEvent = {
    type: "start";
    request_id: string;
};
export type TextEvent = {
    type: "text";
    text: string;
};
export type StatusEvent = {
    type: "status";
    phase: "retrying" | "switching" | "waiting" | "degraded" | "resuming";
    notice: Notice;
    retry_in_seconds: number | null;
    client?: "offline" | "lost";
};
export type RestartEvent = {
    type: "restart";
    segment: number;
};
export type DoneEvent = {
    type: "done";
    level: "full" | "cached" | "rule" | "minimal";
    tokens?: number;
    finish?: "complete" | "length" | "paused";
    usage?: Record<string, number>;
    notice?: Notice;
    suggested_actions?: string[];
    retry_in_seconds?: number;
    model?: string;
    cache?: {
        age_seconds: number;
    };
    links?: Record<string, string>;
};
export type FailedEvent = {
    type: "stream_interrupted" | "error";
    tokens_before_error?: number;
    chars_before_error?: number;
    user_message: string;
    retryable: boolean;
    action: ActionType;
    error: Notice;
    error_category: string;
    suggested_actions: string[];
    retry_in_seconds?: number;
    links?: Record<string, string>;
    client?: "down" | "refused" | "denied";
    /**
     * what the service said is wrong with the question; for developers
     */
    detail?: string;
};
export type EndEvent = DoneEvent | FailedEvent;
export type ChatEvent = StartEvent | StatusEvent | TextEvent | RestartEvent | EndEvent;
export type Turn = {
    role: "user" | "assistant";
    content: string;
};
export type Intent = {
    url: string;
    key: string;
    /**
     * the POST's, as it was sent
     */
    body: string;
    requestId?: string;
    lastEventId?: number;
};
export type Events = AsyncGenerator<ChatEvent, void, undefined>;
export type Options = {
    /**
     * ends it: the request is cancelled, best effort, and the
     * iterator throws the signal's reason
     */
    signal?: AbortSignal;
    /**
     * told of each event before it is given out
     */
    onEvent?: (event: ChatEvent) => void;
    /**
     * where the intent
     * is kept; `sessionStorage` where there is one, `null` for nowhere
     */
    storage?: Pick<Storage, "getItem" | "setItem" | "removeItem"> | null;
    /**
     * its name in the storage; one for each chat on a page
     */
    name?: string;
    /**
     * of notices, the page's own words too
     */
    locale?: string;
    /**
     * for every request
     */
    headers?: Record<string, string>;
    /**
     * for every request
     */
    credentials?: RequestCredentials;
    /**
     * how often in a row, without any news, it is tried; 10
     */
    tries?: number;
    /**
     * the first wait is up to this long, in milliseconds; 500
     */
    baseMs?: number;
    /**
     * no wait is longer, in milliseconds; 20,000. Told to wait longer, it ends
     */
    capMs?: number;
    /**
     * a connection without a byte for so long is lost; 45,000, three
     * heartbeats of the service
     */
    silenceMs?: number;
};
export type Question = {
    /**
     * the Idempotency-Key: that of an earlier call tries the same again
     */
    key?: string;
    /**
     * earlier messages
     */
    history?: Turn[];
    system?: string;
    model?: string;
    route?: string;
    max_tokens?: number;
    metadata?: Record<string, unknown>;
};
/**
 * Whether an event is the last one.
 * @param {{ type: string }} event
 * @returns {event is EndEvent}
 */
export declare function isEnd(event: {
    type: string;
}): event is EndEvent;
/** A key for one intent: send it again with everything that means the same. */
export declare function newKey(): `${string}-${string}-${string}-${string}-${string}`;
/**
 * Ask, and give the answer's events up to its one end.
 *
 *     for await (const event of sendChat("/api/chat/stream", "What does a payslip prove?")) {
 *       if (event.type === "text") show(event.text)
 *     }
 *
 * Leaving the loop early leaves the request running: `resumeChat` finds it. Aborting cancels it.
 * @param {string | URL} url of `POST /api/chat/stream`
 * @param {string} message
 * @param {Question & Options} [options]
 * @returns {Events}
 */
export declare function sendChat(url: string | URL, message: string, options?: Question & Options): Events;
/**
 * Go on with the intent that a reload has left in the storage; `null` if there is none. The answer
 * comes from its beginning, for a new page has nothing of it; with `after: true` only what comes
 * after the last event that was read.
 * @param {Options & { after?: boolean }} [options]
 * @returns {Events | null}
 */
export declare function resumeChat(options?: Options & {
    after?: boolean;
}): Events | null;
/**
 * The intent in the storage: one under way, or one that ended without an answer.
 * @param {Options} [options]
 * @returns {Intent | null}
 */
export declare function storedIntent(options?: Options): Intent | null;
/**
 * Forget the intent in the storage.
 * @param {Options} [options]
 */
export declare function forgetIntent(options?: Options): void;
