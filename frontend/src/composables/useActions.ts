/** What the page can do to a backup, with a word on how it went. */
import { ElMessage } from 'element-plus';
import { api } from '@/services/api';
import type { BackupPatch } from '@/services/types';
import { asProblem } from '@/services/problem';
import { copyText } from '@/services/clipboard';
import { download } from '@/services/download';
import { useBackups } from './useBackups';

export function complain(error: unknown): void {
  const problem = asProblem(error);
  ElMessage({ type: 'error', message: problem.detail, duration: 8000, showClose: true, grouping: true });
}

/** What is found and must not be overlooked: it stays until it is closed. */
export function warn(message: string): void {
  ElMessage({ type: 'error', message, duration: 0, showClose: true, grouping: true });
}

export function praise(message: string): void {
  ElMessage({ type: 'success', message, grouping: true });
}

export function useActions() {
  const { put } = useBackups();

  async function change(id: string, patch: BackupPatch, done: string): Promise<boolean> {
    try {
      put((await api.describe(id, patch)).backup_info);
      praise(done);
      return true;
    } catch (error) {
      complain(error);
      return false;
    }
  }

  async function fetchFile(path: string, name: string): Promise<void> {
    await download(path, name).catch(complain);
  }

  async function copy(text: string, what: string): Promise<void> {
    await copyText(text).then(() => { praise(`${what} copied`); }, complain);
  }

  return { change, fetchFile, copy };
}
