//! Calls that are described already and answered soon: each moves to a file of its own with its
//! handler, and this file goes.

use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::error::ApiError;
use crate::model::BackupId;
use crate::service::Role;
use crate::service::jobs::JobId;

/// The store's size through time.
#[derive(Debug, Serialize, ToSchema)]
pub struct Sizes {
    /// Always `success`.
    status: &'static str,
    /// Oldest first.
    sizes: Vec<Size>,
}

/// The store's size at one moment.
#[derive(Debug, Serialize, ToSchema)]
pub struct Size {
    /// The moment, RFC 3339.
    at: String,
    /// Backups.
    backups: usize,
    /// Bytes of all packs.
    stored_bytes: u64,
    /// Bytes of the rows of all backups.
    logical_bytes: u64,
}

/// The store's size through time
#[utoipa::path(
    get, path = "/api/statistics/history", tag = "upkeep", operation_id = "get_sizes",
    responses((status = 200, description = "The sizes, oldest first", body = Sizes))
)]
pub async fn sizes() -> Response {
    not_yet()
}

/// The schedule and what came of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScheduleInfo {
    /// Always `success`.
    status: &'static str,
    /// The time zone of the expressions.
    time_zone: String,
    /// When backups are made.
    schedules: Vec<ScheduleEntry>,
    /// What a cleanup after a scheduled backup keeps; none if there is no such cleanup.
    retention: Option<Retention>,
    /// The last scheduled backup.
    last_run: Option<LastRun>,
    /// The rounds of verification; none if there are none.
    verification: Option<VerificationRound>,
}

/// One expression of the schedule.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScheduleEntry {
    /// As cron writes it.
    expression: String,
    /// When it is time next, RFC 3339.
    next_at: Option<String>,
}

/// What a cleanup after a scheduled backup keeps.
#[derive(Debug, Serialize, ToSchema)]
pub struct Retention {
    /// The newest, whatever their age.
    last: usize,
    /// The newest of each of so many hours.
    hourly: usize,
    /// The newest of each of so many days.
    daily: usize,
    /// The newest of each of so many weeks.
    weekly: usize,
    /// The newest of each of so many months.
    monthly: usize,
    /// The newest of each of so many years.
    yearly: usize,
    /// All younger than this.
    within: Option<String>,
    /// All that restores kept and that are younger than this.
    pre_restore_within: Option<String>,
}

/// A scheduled backup that is over.
#[derive(Debug, Serialize, ToSchema)]
pub struct LastRun {
    /// When, RFC 3339.
    at: String,
    /// How it ended.
    outcome: String,
    /// The backup, if one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    backup_id: Option<BackupId>,
    /// What is worth knowing about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detail: Option<String>,
}

/// How the store is verified bit by bit.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerificationRound {
    /// Within so many days every backup is proven once.
    period_days: u32,
    /// When it goes on, RFC 3339.
    next_at: Option<String>,
    /// When the backup that waits longest was proven last, RFC 3339.
    oldest_proven_at: Option<String>,
}

/// The schedule
#[utoipa::path(
    get, path = "/api/schedule", tag = "service", operation_id = "get_schedule",
    responses((status = 200, description = "The schedule", body = ScheduleInfo))
)]
pub async fn schedule() -> Response {
    not_yet()
}

/// What was done, and by whom.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditLog {
    /// Always `success`.
    status: &'static str,
    /// Newest first.
    entries: Vec<AuditEntry>,
}

/// One thing that was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    /// When, RFC 3339.
    at: String,
    /// By whom.
    who: String,
    /// What they may do.
    role: Role,
    /// What was done.
    action: String,
    /// To what.
    target: Option<String>,
    /// How it ended.
    outcome: String,
    /// What is worth knowing about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detail: Option<String>,
    /// The job that did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    job_id: Option<JobId>,
    /// The request that asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    request_id: Option<String>,
}

/// How many entries to list.
#[derive(Debug, Deserialize, IntoParams)]
#[expect(dead_code, reason = "described only")]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// How many entries to list.
    #[param(default = 100, maximum = 1000)]
    limit: Option<usize>,
}

/// The audit log, newest first
#[utoipa::path(
    get, path = "/api/audit", tag = "service", operation_id = "get_audit_log", params(AuditQuery),
    responses((status = 200, description = "The entries", body = AuditLog))
)]
pub async fn audit() -> Response {
    not_yet()
}

/// Who calls, and what they may do.
#[derive(Debug, Serialize, ToSchema)]
pub struct Session {
    /// Always `success`.
    status: &'static str,
    /// What the caller is called.
    name: String,
    /// What they may do.
    role: Role,
    /// How they are known.
    authentication: Authentication,
    /// The program's version.
    version: &'static str,
    /// Whether the service has a database to back up.
    database: bool,
}

/// How a caller is known.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "described only")]
pub enum Authentication {
    /// No tokens are set up; who reaches the service may do everything.
    None,
    /// By a token.
    Token,
}

/// Who calls, and what they may do
#[utoipa::path(
    get, path = "/api/session", tag = "service", operation_id = "get_session",
    responses((status = 200, description = "The caller", body = Session))
)]
pub async fn session() -> Response {
    not_yet()
}

/// How the service is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// The worst of the checks.
    status: HealthStatus,
    /// The program's version.
    version: &'static str,
    /// What was looked at.
    checks: HealthChecks,
}

/// How well it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "described only")]
pub enum HealthStatus {
    /// All is well.
    Ok,
    /// It works, but somebody should look.
    Degraded,
    /// It does not work.
    Failing,
}

/// What was looked at.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthChecks {
    /// Whether the store can be written.
    store: Check,
    /// Whether the database answers.
    database: Check,
    /// Whether the last backup is young enough.
    last_backup: LastBackup,
    /// Whether the schedule goes on.
    schedule: Check,
    /// Whether backups are proven whole.
    verification: Check,
    /// Whether there is room.
    disk: Check,
}

/// One check.
#[derive(Debug, Serialize, ToSchema)]
pub struct Check {
    /// Whether it is well.
    ok: bool,
    /// The same in words.
    detail: String,
}

/// The check of the last backup.
#[derive(Debug, Serialize, ToSchema)]
pub struct LastBackup {
    /// Whether it is well.
    ok: bool,
    /// The newest backup.
    backup_id: Option<BackupId>,
    /// Its age.
    age_seconds: Option<u64>,
    /// The same in words.
    detail: String,
}

/// How the service is
#[utoipa::path(
    get, path = "/api/health", tag = "service", operation_id = "get_health",
    responses((status = 200, description = "How it is, good or bad", body = Health))
)]
pub async fn health() -> Response {
    not_yet()
}

/// Whether the service may be sent requests
#[utoipa::path(
    get, path = "/api/ready", tag = "service", operation_id = "get_readiness",
    responses(
        (status = 200, description = "It may", body = Health),
        (status = 503, description = "It may not", body = Health),
    )
)]
pub async fn ready() -> Response {
    not_yet()
}

/// Measurements for Prometheus
#[utoipa::path(
    get, path = "/metrics", tag = "service", operation_id = "get_metrics",
    responses((status = 200, description = "The measurements", body = String, content_type = "application/openmetrics-text"))
)]
pub async fn metrics() -> Response {
    not_yet()
}

fn not_yet() -> Response {
    axum::response::IntoResponse::into_response(ApiError::NoSuchCall)
}
