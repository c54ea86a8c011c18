//! `POST /api/notify/test`

use axum::Json;
use axum::extract::State;

use super::access::{Admin, Caller};
use super::body::NoticeTrials;
use crate::engine::Clock;
use crate::service::notify::Notifier;

/// Send a test notification to each target
///
/// Each is tried once. A target that takes it is sent at once what waits for it.
#[utoipa::path(
    post, path = "/api/notify/test", tag = "service", operation_id = "test_notifications",
    responses((status = 200, description = "What each target answered", body = NoticeTrials))
)]
pub async fn test(
    _: Caller<Admin>,
    State(notifier): State<Notifier>,
    State(clock): State<Clock>,
) -> Json<NoticeTrials> {
    Json(notifier.test(clock()).await.into())
}
