/** How the elements look: their colours, which a page may set, and what both of them use. */
/** @param {string} css */
export declare function sheet(css: string): CSSStyleSheet;
/** Colours and measures. What begins with --failsoft- is the page's to set; see docs/browser.md. */
export declare const look: CSSStyleSheet;
/**
 * An element with text in it: text only, whatever it looks like.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} [className]
 * @param {string} [text]
 * @returns {HTMLElementTagNameMap[K]}
 */
export declare function element<K extends keyof HTMLElementTagNameMap>(tag: K, className?: string, text?: string): HTMLElementTagNameMap[K];
/**
 * A link to an address that is safe to open: http, https or mailto; `null` for any other.
 * @param {string | undefined} address
 * @param {string} text
 * @param {string} [className]
 */
export declare function link(address: string | undefined, text: string, className?: string): HTMLAnchorElement | null;
/**
 * Seconds as a person says them: "27 sec", "5 min".
 * @param {number} seconds
 * @param {string} locale
 */
export declare function duration(seconds: number, locale: string): string;
/**
 * Count down in an element, for eyes only: it is not read out. Gives what stops it.
 * @param {HTMLElement} place
 * @param {number} seconds
 * @param {(seconds: number) => string} words
 * @param {() => void} [ended]
 */
export declare function countDown(place: HTMLElement, seconds: number, words: (seconds: number) => string, ended?: () => void): () => void;
