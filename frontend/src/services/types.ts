/** The service's words, by the names that the page calls them. All come from its OpenAPI document. */
import type { components, paths } from './schema';

type Schemas = components['schemas'];
type QueryOf<Call extends { parameters: { query?: object } }> = NonNullable<Call['parameters']['query']>;

export type Dataset = string;
export type PerDataset<T> = Record<Dataset, T>;

export type Profile = Schemas['Profile'];
export type NetworkTree = Schemas['ProfileTree'];

export type Backup = Schemas['BackupInfo'];
export type BackupList = Schemas['BackupList'];
export type BackupPatch = Schemas['Annotation'];
export type BackupChanges = Schemas['Changes'];
export type Details = Schemas['Details'];

export type Counts = Schemas['RowCounts'];
export type ChangeKind = Schemas['ChangeKind'];
export type CellChange = Schemas['CellChange'];
export type RowChange = Schemas['RowChange'];
export type FoundChange = Schemas['FoundChange'];
export type FoundNode = Schemas['FoundNode'];
export type FoundQuery = QueryOf<paths['/api/comparisons/{comparison_id}/changes']['get']>;
export type LiveStatus = Schemas['LiveStatus'];
export type ScopeRow = Schemas['ScopeRow'];
export type DiffReport = Schemas['DiffReport'];
export type RowHistory = Schemas['History'];
export type RowVersion = Schemas['RowVersion'];

export type RestoreCounts = Schemas['RestoreResults'];
export type Preview = Schemas['Preview'];
export type Source = Schemas['Source'];
export type OtherRows = Schemas['OtherRows'];
export type Restored = Schemas['Restored'];
export type VerifyReport = Schemas['VerifyReport'];
export type Deleted = Schemas['Deleted'];
export type CleanupReport = Schemas['CleanupReport'];
export type Protection = Schemas['Protection'];
export type Judged = Schemas['Judged'];
export type Reason = Schemas['Reason'];

export type RestoreQuery = QueryOf<paths['/api/restore/{backup_id}']['post']>;
export type PreviewQuery = QueryOf<paths['/api/preview/{backup_id}']['post']>;
export type CleanupQuery = QueryOf<paths['/api/cleanup']['post']>;

export type Statistics = Schemas['Statistics'];
export type BackupCost = Schemas['BackupCost'];
export type Disk = Schemas['Disk'];
export type SizeSample = Schemas['Size'];

export type Accepted = Schemas['Accepted'];
export type Job = Schemas['Job'];
export type JobKind = Schemas['JobKind'];
export type Phase = Schemas['Phase'];
export type Progress = Schemas['JobProgress'];
/** Of the service, or of what is between: that has no `type`. */
export type Problem = Omit<Schemas['Problem'], 'type'> & { type?: string };

export type Schedule = Schemas['ScheduleStatus'];
export type Retention = Schemas['RetentionStatus'];
export type Health = Schemas['Health'];
export type Role = Schemas['Role'];
export type Session = Schemas['Session'];
export type AuditEntry = Schemas['Entry'];
