/** `<failsoft-chat>`: a whole chat on the stream contract, from the composer to the notice. */
export type ChatEvent = import("./client.js").ChatEvent;
export type EndEvent = import("./client.js").EndEvent;
export type Message = import("./client.js").Turn;
/**
 * A chat. Attributes: `url` of `POST /api/chat/stream`, `locale`, `theme` (`light` or `dark`; else
 * as the device), `name` (of what a reload finds, one for each chat on a page). `options` is sent
 * with every question. What is inside the element is its greeting, until the first question.
 *
 * Dispatches `failsoft-event` (every event as it came), `failsoft-request` (`requestId`, `key`,
 * `message`) and `failsoft-end` (the last event).
 */
export declare class FailsoftChat extends HTMLElement {
    #private;
    static observedAttributes: string[];
    /**
     * Sent with every question: `system`, `route`, `model`, `max_tokens`, `metadata`, `headers`,
     * `credentials`.
     * @type {Pick<import("./client.js").Question & import("./client.js").Options,
     *   "system" | "route" | "model" | "max_tokens" | "metadata" | "headers" | "credentials">}
     */
    options: Pick<import("./client.js").Question & import("./client.js").Options, "system" | "route" | "model" | "max_tokens" | "metadata" | "headers" | "credentials">;
    constructor();
    /** Whether an answer is on its way. */
    get busy(): boolean;
    connectedCallback(): void;
    attributeChangedCallback(): void;
    /**
     * Ask. Gives the last event, or `null` where an answer is on its way already, or it was stopped.
     * @param {string} text
     * @returns {Promise<EndEvent | null>}
     */
    ask(text: string): Promise<EndEvent | null>;
    /** Stop the answer that is on its way. */
    stop(): void;
}
