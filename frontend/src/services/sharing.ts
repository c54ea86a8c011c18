/** One stream for all tabs that show the service to the same caller: open while any of them listens. */
import { asProblem } from './problem';
import { read, type News, type Source } from './stream';

/** What a tab says. */
export type Request = { join: Source; lastId: string } | { leave: true };

/** A tab, as the sharing sees it. */
export interface Tab {
  postMessage: (news: News) => void;
}

interface Shared {
  tabs: Set<Tab>;
  open: boolean;
  stop: AbortController;
}

export class Sharing {
  readonly #streams = new Map<string, Shared>();

  /** Takes what a tab says. */
  take(tab: Tab, request: Request): void {
    this.#leave(tab);
    if ('join' in request) this.#join(tab, request.join, request.lastId);
  }

  #join(tab: Tab, source: Source, lastId: string): void {
    const key = JSON.stringify(source);
    const there = this.#streams.get(key);
    if (there) {
      there.tabs.add(tab);
      if (there.open) tab.postMessage({ kind: 'open' });
      return;
    }
    const shared: Shared = { tabs: new Set([tab]), open: false, stop: new AbortController() };
    this.#streams.set(key, shared);
    void this.#run(key, shared, source, lastId);
  }

  async #run(key: string, shared: Shared, source: Source, lastId: string): Promise<void> {
    const tell = (news: News) => { shared.tabs.forEach((tab) => { tab.postMessage(news); }); };
    const passOn = (news: News) => {
      shared.open ||= news.kind === 'open';
      tell(news);
    };
    const end: News = await read(source, lastId, passOn, shared.stop.signal).then(
      () => ({ kind: 'end' }),
      (error: unknown) => ({ kind: 'failed', problem: asProblem(error) }),
    );
    if (this.#streams.get(key) === shared) this.#streams.delete(key);
    tell(end);
  }

  #leave(tab: Tab): void {
    for (const [key, shared] of this.#streams) {
      if (!shared.tabs.delete(tab) || shared.tabs.size > 0) continue;
      this.#streams.delete(key);
      shared.stop.abort();
    }
  }
}
