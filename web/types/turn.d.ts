/** One question and its answer as they are seen: text, what is waited for, and a notice below. */
import "./notice.js";
export type StatusEvent = import("./client.js").StatusEvent;
export type EndEvent = import("./client.js").EndEvent;
export type Message = import("./client.js").Turn;
/**
 * Text that is appended as it comes, once a frame, in paragraphs: what is there already is never
 * touched again, and paragraphs out of sight are not laid out.
 */
export declare class Flow {
    #private;
    place: HTMLElement;
    /** All text so far, shown already or not. */
    text: string;
    /** @param {HTMLElement} place */
    constructor(place: HTMLElement);
    /** @param {string} text */
    append(text: string): void;
    clear(): void;
}
/** The view of one intent: a question, and its answer over all tries. */
export declare class Turn {
    #private;
    question: string;
    key: string;
    history: import("./client.js").Turn[];
    locale: string | undefined;
    labels: {
        ask: string;
        hint: string;
        send: string;
        stop: string;
        talk: string;
        you: string;
        assistant: string;
        complete: string;
        working: string;
        stopped: string;
        busy: string;
        ready: string;
        wait: string;
        reference: string;
        support: string;
        status_page: string;
        help: string;
        history: string;
        more: string;
    };
    /** @type {EndEvent | null} */
    end: EndEvent | null;
    element: HTMLElement;
    flow: Flow;
    /**
     * @param {object} intent
     * @param {string} intent.question
     * @param {string} intent.key
     * @param {Message[]} intent.history
     * @param {string | undefined} intent.locale the notices', as it is sent
     * @param {import("./words.js").Labels} labels
     */
    constructor({ question, key, history, locale }: {
        question: string;
        key: string;
        history: Message[];
        locale: string | undefined;
    }, labels: import("./words.js").Labels);
    /** A run begins: what is there stays until there is something new. */
    begin(): void;
    /** @param {string} text */
    append(text: string): void;
    clear(): void;
    /** @param {StatusEvent} event */
    status({ notice, retry_in_seconds: seconds }: StatusEvent): void;
    /**
     * @param {EndEvent} event
     * @param {string} theme
     */
    finish(event: EndEvent, theme: string): void;
    /** The person has stopped it. */
    stopped(): void;
    /** @param {string} theme */
    set theme(theme: string);
    /** Nothing runs on by itself from here: a countdown ends. */
    rest(): void;
}
