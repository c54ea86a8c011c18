/** Where the service is: at the root of its host, or below the path that a proxy shows it at. */

const root = new URL(document.documentElement.dataset.root ?? '.', document.baseURI);

/** The path of the page's root, without the slash at its end. */
export const BASE = root.pathname.replace(/\/$/, '');

/** The address of a path of the service. */
export function at(path: string): string {
  return BASE + path;
}
