//! Reads tables with or without a base, and says how.

use crate::engine::capture::base::{Base, Start};
use crate::engine::capture::changes::{Captured, capture_changes};
use crate::engine::capture::scan::{Sinks, TreeRules, capture};
use crate::engine::capture::sink::Nowhere;
use crate::engine::{EngineError, Run};
use crate::model::{
    BackupId, CaptureInfo, CaptureMode, PartManifest, Profile, Schema, SnapshotInfo,
};
use crate::postgres::Session;

/// The tables of a snapshot, and what identifies it.
#[derive(Debug, Clone, Copy)]
pub struct Tables<'t> {
    pub profile: &'t Profile,
    pub schema: &'t Schema,
    pub info: &'t SnapshotInfo,
}

/// Reads the tables that these sessions see.
pub async fn read<S: Sinks>(
    sessions: &mut [&mut Session],
    tables: Tables<'_>,
    start: Start,
    rules: TreeRules,
    sinks: &S,
    run: &Run,
) -> Result<(Vec<PartManifest>, CaptureInfo), EngineError> {
    match start {
        Start::Full { reason, stopped_by } => {
            let info = CaptureInfo { stopped_by, ..CaptureInfo::full(reason) };
            read_full(sessions, tables, info, rules, sinks, run).await
        }
        Start::Since(base) => read_since(sessions, tables, &base, rules, sinks, run).await,
        Start::Check { base, reason } => {
            let told = match base.cannot_lead_to(tables.info, tables.profile) {
                Some(_) => None,
                None => Some(changes(sessions, tables, &base, rules, &Nowhere, run).await?),
            };
            let info = CaptureInfo::full(reason);
            let (parts, mut info) = read_full(sessions, tables, info, rules, sinks, run).await?;
            if let Some(told) = told {
                info.mismatch = mismatches(&base, &told, &parts);
            }
            Ok((parts, info))
        }
    }
}

async fn read_full<S: Sinks>(
    sessions: &mut [&mut Session],
    tables: Tables<'_>,
    info: CaptureInfo,
    rules: TreeRules,
    sinks: &S,
    run: &Run,
) -> Result<(Vec<PartManifest>, CaptureInfo), EngineError> {
    let parts = capture(sessions, (tables.profile, tables.schema), rules, sinks, run).await?;
    let rows_read = parts.iter().map(|part| part.rows).sum();
    Ok((parts, CaptureInfo { rows_read, ..info }))
}

/// Reads what changed since the base. All rows, if that cannot be told, or rows contradict it.
async fn read_since<S: Sinks>(
    sessions: &mut [&mut Session],
    tables: Tables<'_>,
    base: &Base,
    rules: TreeRules,
    sinks: &S,
    run: &Run,
) -> Result<(Vec<PartManifest>, CaptureInfo), EngineError> {
    let named = base.id.as_ref().map_or_else(|| "an earlier snapshot".into(), called);
    if let Some(why) = base.cannot_lead_to(tables.info, tables.profile) {
        let info = CaptureInfo::full(format!("the changes since {named} cannot be told: {why}"));
        return read_full(sessions, tables, info, rules, sinks, run).await;
    }
    let captured = changes(sessions, tables, base, rules, sinks, run).await?;
    if captured.contradictions.is_empty() {
        let earlier = base.snapshot.capture.as_ref();
        let info = CaptureInfo {
            mode: CaptureMode::Changes,
            base: base.id.clone(),
            tables: captured.whole,
            rows_read: captured.rows_read,
            last_full: earlier.and_then(|capture| capture.last_full.clone()),
            ..CaptureInfo::default()
        };
        return Ok((captured.parts, info));
    }
    let info = CaptureInfo {
        mismatch: captured.contradictions,
        ..CaptureInfo::full(format!("rows contradict {named}"))
    };
    read_full(sessions, tables, info, rules, sinks, run).await
}

async fn changes<S: Sinks>(
    sessions: &mut [&mut Session],
    Tables { profile, schema, info }: Tables<'_>,
    base: &Base,
    rules: TreeRules,
    sinks: &S,
    run: &Run,
) -> Result<Captured, EngineError> {
    capture_changes(sessions, (base, info), (profile, schema), rules, sinks, run).await
}

fn called(id: &BackupId) -> String {
    format!("backup {id}")
}

/// What the changes since a base told and is not so, one sentence each.
fn mismatches(base: &Base, told: &Captured, parts: &[PartManifest]) -> Vec<String> {
    let named = base.id.as_ref().map_or_else(|| "an earlier snapshot".into(), called);
    let differs = |part: &&PartManifest| {
        told.parts.iter().all(|told| told.name != part.name || told.root != part.root)
    };
    let roots = parts.iter().filter(differs).map(|part| {
        format!("the rows of {} are not those that the changes since {named} tell", part.name)
    });
    told.contradictions.iter().cloned().chain(roots).collect()
}
