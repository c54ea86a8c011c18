/** Archives on their way to the service. Until they are there, the tab has to stay open. */
import { reactive, shallowReactive } from 'vue';
import { jobs } from '@/services/api';
import type { Job } from '@/services/types';

export interface Upload {
  name: string;
  sent: number;
  size: number;
}

const uploads = shallowReactive(new Set<Upload>());

/** Sends an archive; the import is a job once all of it is there. */
async function bringIn(file: File): Promise<Job> {
  const upload = reactive<Upload>({ name: file.name, sent: 0, size: file.size });
  uploads.add(upload);
  try {
    return await jobs.import(file, (sent) => { upload.sent = sent; });
  } finally {
    uploads.delete(upload);
  }
}

export function useImport() {
  return { uploads, bringIn };
}
