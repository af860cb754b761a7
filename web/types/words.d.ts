/**
 * The few words that a page says by itself. What went wrong with an answer is said by the service,
 * in its notices; these are the labels of the elements, and what only the page can know: that the
 * service cannot be reached, or that the device is offline.
 */
/** Of the elements. */
declare const labels: {
    en: {
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
    es: {
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
    de: {
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
    fr: {
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
    ja: {
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
    ar: {
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
};
/** Of the client. */
declare const outages: {
    en: {
        working: string;
        retry: string;
        edit: string;
        contact: string;
        offline: string[];
        lost: string[];
        down: string[];
        refused: string[];
        denied: string[];
    };
    es: {
        working: string;
        retry: string;
        edit: string;
        contact: string;
        offline: string[];
        lost: string[];
        down: string[];
        refused: string[];
        denied: string[];
    };
    de: {
        working: string;
        retry: string;
        edit: string;
        contact: string;
        offline: string[];
        lost: string[];
        down: string[];
        refused: string[];
        denied: string[];
    };
    fr: {
        working: string;
        retry: string;
        edit: string;
        contact: string;
        offline: string[];
        lost: string[];
        down: string[];
        refused: string[];
        denied: string[];
    };
    ja: {
        working: string;
        retry: string;
        edit: string;
        contact: string;
        offline: string[];
        lost: string[];
        down: string[];
        refused: string[];
        denied: string[];
    };
    ar: {
        working: string;
        retry: string;
        edit: string;
        contact: string;
        offline: string[];
        lost: string[];
        down: string[];
        refused: string[];
        denied: string[];
    };
};
export type Labels = typeof labels["en"];
export type Outages = typeof outages["en"];
/** @typedef {typeof labels["en"]} Labels */
/** @typedef {typeof outages["en"]} Outages */
/** The locales there are words in. */
export declare const locales: string[];
/**
 * The labels of the elements; English where there are none.
 * @param {string | null | undefined} locale a language tag such as "de" or "de-AT"
 * @returns {Labels}
 */
export declare function labelsFor(locale: string | null | undefined): Labels;
/**
 * What the page says when the service cannot: titles and bodies; English where there are none.
 * @param {string | null | undefined} locale a language tag such as "de" or "de-AT"
 * @returns {Outages & { locale: string }}
 */
export declare function outagesFor(locale: string | null | undefined): Outages & {
    locale: string;
};
/**
 * Which way a language is written.
 * @param {string | null | undefined} locale
 */
export declare function direction(locale: string | null | undefined): "ltr" | "rtl";
export {};
