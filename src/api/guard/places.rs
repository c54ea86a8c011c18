//! No problem tells where this host keeps what.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::api::body::Problem;
use crate::api::error;
use crate::service::Places;

/// Takes the folders of the service out of the words of a problem.
pub async fn without_places(
    State(places): State<Places>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Problem>() else { return response };
    let mut told = problem.clone();
    told.detail = places.hide(&told.detail);
    told.problems = told.problems.iter().map(|one| places.hide(one)).collect();
    if told == *problem { response } else { error::response(&told) }
}
