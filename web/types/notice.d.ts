/** `<failsoft-notice>`: what happened, whose move it is, and the one thing to do now. */
export type Notice = import("./client.js").Notice;
export type ActionType = import("./client.js").ActionType;
/**
 * A notice as the service gives it. Set `notice`, and beside it `actions` (words of what else helps)
 * and `links`. The attribute `alert` has it read out at once, for a failure that is final.
 *
 * The one action dispatches `failsoft-action` (`detail.type`), once; `wait` does so by itself when
 * its countdown ends. What the action then does is the page's: `<failsoft-chat>` does it all.
 */
export declare class FailsoftNotice extends HTMLElement {
    #private;
    constructor();
    /** The notice that is shown; `null` shows nothing. */
    get notice(): import("./client.js").Notice | null;
    set notice(notice: import("./client.js").Notice | null);
    /** Words of what else helps; the first is what the button does, and is not shown. */
    get actions(): string[];
    set actions(actions: string[]);
    /** Addresses: `support`, `status_page`, `help`, `history`, `more`. */
    get links(): Record<string, string>;
    set links(links: Record<string, string>);
    /** What counted down before it was taken out counts anew. */
    connectedCallback(): void;
    disconnectedCallback(): void;
}
