/** Downloads. A plain link carries no token, so with one the file is fetched, and written as it comes or handed over whole. */
import { send } from './http';
import { at } from './place';
import { choose, write } from './saving';
import { token } from './token';

function follow(address: string, name: string): void {
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
}

function nameOf(response: Response, otherwise: string): string {
  const said = response.headers.get('Content-Disposition') ?? '';
  return /filename="?([\w.-]+)"?/.exec(said)?.[1] ?? otherwise;
}

export async function download(path: string, name: string): Promise<void> {
  if (!token()) {
    follow(at(path), name);
    return;
  }
  // First of all: the browser asks for a file only right after a click.
  const file = await choose(name);
  if (file === null) return;
  if (file) {
    await write(send(path), file);
    return;
  }
  const response = await send(path);
  const address = URL.createObjectURL(await response.blob());
  follow(address, nameOf(response, name));
  setTimeout(() => { URL.revokeObjectURL(address); }, 60_000);
}

/** A text that was made here, as a file. */
export function save(text: string, name: string, type: string): void {
  const address = URL.createObjectURL(new Blob([text], { type }));
  follow(address, name);
  setTimeout(() => { URL.revokeObjectURL(address); }, 60_000);
}
