//! Who calls, and what they may do. Each handler says by its extractor which role it needs.

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tower_http::request_id::RequestId;

use super::error::ApiError;
use super::guard::Known;
use crate::service::access::{Identity, NotLetIn};
use crate::service::jobs::{Order, Trigger, Work};
use crate::service::{Role, Service};

/// A role as a type, for [`Caller`].
pub trait Needs {
    /// The role.
    const ROLE: Role;
}

/// Needs [`Role::Viewer`].
#[derive(Debug)]
pub struct Viewer;

/// Needs [`Role::Operator`].
#[derive(Debug)]
pub struct Operator;

/// Needs [`Role::Admin`].
#[derive(Debug)]
pub struct Admin;

impl Needs for Viewer {
    const ROLE: Role = Role::Viewer;
}

impl Needs for Operator {
    const ROLE: Role = Role::Operator;
}

impl Needs for Admin {
    const ROLE: Role = Role::Admin;
}

/// Who calls; a handler that takes one is reached only by callers who may do what `R` may.
#[derive(Debug)]
pub struct Caller<R> {
    /// Who that is.
    pub identity: Identity,
    /// How the request is called.
    pub request_id: Option<String>,
    needs: PhantomData<R>,
}

impl<R> Caller<R> {
    /// Goes on only if the caller may do what this role may.
    ///
    /// # Errors
    /// [`ApiError::Forbidden`].
    pub fn must_be(&self, needed: Role) -> Result<(), ApiError> {
        let Identity { name, role, .. } = &self.identity;
        if *role >= needed {
            return Ok(());
        }
        Err(ApiError::Forbidden { name: name.clone(), role: *role, needed })
    }

    /// The name that goes into backups: none for somebody at this machine.
    pub fn author(&self) -> Option<String> {
        self.identity.author().map(str::to_owned)
    }

    /// An order of this caller.
    pub fn order(&self, work: Work) -> Order {
        Order {
            work,
            created_by: self.identity.name.clone(),
            caller: Some(self.identity.clone()),
            trigger: Trigger::Request,
            request_id: self.request_id.clone(),
        }
    }
}

impl<R: Needs> FromRequestParts<Service> for Caller<R> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Service) -> Result<Self, ApiError> {
        let id = parts.extensions.get::<RequestId>();
        let id = id.and_then(|id| id.header_value().to_str().ok());
        let known = parts.extensions.get::<Known>().map(|Known(known)| known.clone());
        let identity = known.unwrap_or(Err(NotLetIn::NoToken))?;
        let caller = Self { identity, request_id: id.map(str::to_owned), needs: PhantomData };
        caller.must_be(R::ROLE)?;
        Ok(caller)
    }
}
