//! `GET /api/comparisons/{comparison_id}/changes`, `GET /api/comparisons/{comparison_id}/tree`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::access::{Caller, Viewer};
use super::body::{FoundChanges, FoundTree};
use super::error::ApiError;
use super::extract::{Path, Query, at_most, words};
use super::responses::OfComparison;
use crate::engine::{ChangeFilter, ChangeKind, Engine, EngineError, Found, Parent};
use crate::service::Role;

/// Characters of a search.
const LONGEST: usize = 200;
/// Rows or nodes of a page.
const MOST: usize = 500;

/// Which changes to find, and which of them to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// Words that must all be in the row, in whatever column, as it was or as it is. A network finds what
    /// lies within it, an address also what holds it.
    #[param(max_length = 200)]
    q: Option<String>,
    /// Only rows of this dataset.
    dataset: Option<String>,
    /// Only these kinds of change; separated by commas.
    #[param(
        example = "added,removed",
        pattern = "^(added|changed|removed)(,(added|changed|removed))*$"
    )]
    kind: Option<String>,
    /// Also rows of which only the time of the last touch changed.
    #[serde(default = "yes")]
    #[param(required = false, default = true)]
    touched: bool,
    /// Of a tree: list the networks of this group, such as a VRF.
    #[param(max_length = 200)]
    group: Option<String>,
    /// Of a tree: list the networks right below this place.
    below: Option<u64>,
    /// The first to list.
    #[serde(default)]
    #[param(required = false, default = 0)]
    offset: u64,
    /// How many to list.
    #[param(default = 100, maximum = 500)]
    limit: Option<usize>,
}

fn yes() -> bool {
    true
}

impl Parameters {
    fn filter(&self, engine: &Engine) -> Result<ChangeFilter, ApiError> {
        let text = words("q", self.q.clone(), LONGEST)?.unwrap_or_default();
        let dataset = self.dataset.as_deref().map(|name| engine.profile().dataset(name));
        let dataset = dataset.transpose().map_err(EngineError::from)?;
        let mut filter = ChangeFilter::default().with_text(&text);
        if let Some(kinds) = &self.kind {
            filter.kinds = kinds.split(',').map(kind).collect::<Result<_, _>>()?;
        }
        (filter.dataset, filter.touched) = (dataset, self.touched);
        Ok(filter)
    }

    async fn found(
        &self,
        caller: &Caller<Viewer>,
        engine: &Engine,
        id: &str,
    ) -> Result<Arc<Found>, ApiError> {
        let filter = self.filter(engine)?;
        let comparison = id.parse().ok().and_then(|id| engine.comparison(id));
        let comparison = comparison.ok_or(ApiError::NoSuchComparison)?;
        if comparison.live {
            caller.must_be(Role::Operator)?;
        }
        Ok(comparison.find(&filter).await?)
    }

    fn limit(&self) -> Result<usize, ApiError> {
        Ok(at_most("limit", self.limit, MOST)?.unwrap_or(100))
    }
}

fn kind(name: &str) -> Result<ChangeKind, ApiError> {
    match name {
        "added" => Ok(ChangeKind::Added),
        "changed" => Ok(ChangeKind::Changed),
        "removed" => Ok(ChangeKind::Removed),
        _ => Err(ApiError::Malformed("kind is added, changed or removed".into())),
    }
}

/// Rows that differ, searched and page by page
///
/// Of a comparison or a preview that named a `comparison_id`. The latest few are kept; after that it is
/// to be made anew.
#[utoipa::path(
    get, path = "/api/comparisons/{comparison_id}/changes", tag = "compare", operation_id = "search_changes",
    params(("comparison_id" = String, Path, description = "As the report names it"), Parameters),
    responses((status = 200, description = "What was found", body = FoundChanges), OfComparison)
)]
pub async fn changes(
    caller: Caller<Viewer>,
    State(engine): State<Engine>,
    Path(id): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<FoundChanges>, ApiError> {
    let limit = parameters.limit()?;
    let found = parameters.found(&caller, &engine, &id).await?;
    let page = found.page(parameters.offset, limit).await?;
    Ok(Json(FoundChanges::new(&found, parameters.offset, page)))
}

/// Networks that differ, searched, as a tree
///
/// Its groups; with `group` or `below` the networks right below that place. Each node counts all that was
/// found in it.
#[utoipa::path(
    get, path = "/api/comparisons/{comparison_id}/tree", tag = "compare", operation_id = "search_changed_networks",
    params(("comparison_id" = String, Path, description = "As the report names it"), Parameters),
    responses((status = 200, description = "What was found", body = FoundTree), OfComparison)
)]
pub async fn tree(
    caller: Caller<Viewer>,
    State(engine): State<Engine>,
    Path(id): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<FoundTree>, ApiError> {
    let limit = parameters.limit()?;
    let found = parameters.found(&caller, &engine, &id).await?;
    let offset = parameters.offset;
    let parent = match (parameters.below, parameters.group) {
        (Some(place), _) => Some(Parent::Node(place)),
        (None, group) => group.map(Parent::Group),
    };
    let page = match parent {
        Some(parent) => found.below(parent, offset, limit).await?,
        None => found.groups(offset, limit),
    };
    Ok(Json(FoundTree::new(&found, offset, page)))
}
