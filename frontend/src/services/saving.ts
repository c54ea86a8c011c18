/** Writes an answer to a file as it comes, where the browser can: an archive may be larger than the memory. */

interface SavedFile extends FileSystemFileHandle {
  remove?: () => Promise<void>;
}
type Picker = (options: { suggestedName: string }) => Promise<SavedFile>;

function picker(): Picker | undefined {
  return (globalThis as { showSaveFilePicker?: Picker }).showSaveFilePicker;
}

function isCancel(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}

/** The file that the answer is to go to; null if somebody thought better of it, nothing where there is no choice. */
export async function choose(name: string): Promise<SavedFile | null | undefined> {
  try {
    return await picker()?.({ suggestedName: name });
  } catch (error) {
    return isCancel(error) ? null : undefined;
  }
}

/** Half a file is taken away again. */
export async function write(answer: Promise<Response>, file: SavedFile): Promise<void> {
  try {
    const { body } = await answer;
    await body?.pipeTo(await file.createWritable());
  } catch (error) {
    await file.remove?.().catch(() => undefined);
    throw error;
  }
}
