//! A service whose clock a test turns.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Duration, Utc};
use ipam_rewind::engine::{BackupRequest, Clock, Engine, Run};
use ipam_rewind::model::BackupId;
use ipam_rewind::service::automation::Plan;
use ipam_rewind::service::observe::exposition::exposition;
use ipam_rewind::service::{Service, StateFolder};

use super::TestDatabase;

/// A clock, a database, a store and a state folder, for services to run over.
pub struct Clockwork {
    pub database: TestDatabase,
    pub folder: tempfile::TempDir,
    now: Arc<Mutex<DateTime<Utc>>>,
}

impl Clockwork {
    /// It is half past two in the afternoon.
    pub fn new(database: TestDatabase) -> Self {
        let now = "2025-09-20T14:30:00Z".parse().expect("a time");
        let folder = super::folder();
        std::fs::create_dir(folder.path().join("store")).expect("made");
        Self { database, folder, now: Arc::new(Mutex::new(now)) }
    }

    pub fn turn(&self, by: Duration) {
        *self.now.lock().expect("no panic") += by;
    }

    pub fn now(&self) -> DateTime<Utc> {
        *self.now.lock().expect("no panic")
    }

    pub fn clock(&self) -> Clock {
        let now = self.now.clone();
        Arc::new(move || *now.lock().expect("no panic"))
    }

    pub async fn engine(&self) -> Engine {
        self.engine_at(&self.database.url).await
    }

    /// An engine that reaches a database by this URL.
    pub async fn engine_at(&self, url: &str) -> Engine {
        let store = self.folder.path().join("store");
        let place = store.to_str().expect("plain text");
        let engine = Engine::open_or_create(place, Some(url.to_owned())).await;
        engine.expect("a store").with_clock(self.clock())
    }

    /// A service with this plan, by this clock.
    pub async fn service(&self, plan: Plan) -> Service {
        self.service_over(self.engine().await, plan).await
    }

    /// The same over another engine, which gets this clock.
    pub async fn service_over(&self, engine: Engine, plan: Plan) -> Service {
        let state = StateFolder::open(&self.folder.path().join("state")).expect("a state folder");
        let plan = Plan { clock: self.clock(), ..plan };
        let engine = engine.with_clock(self.clock());
        Service::start_with(engine, state, plan).await.expect("it starts")
    }

    /// A backup that is made now.
    pub async fn backup(&self) -> BackupId {
        let made = self.engine().await.backup(BackupRequest::default(), &Run::new()).await;
        made.expect("it is made").backup_id
    }

    /// The ids of all backups, oldest first.
    pub async fn ids(&self) -> Vec<String> {
        let ids = self.engine().await.store().backups().await.expect("listed");
        ids.iter().map(ToString::to_string).collect()
    }
}

/// Has a service prove a backup if one has its turn.
pub async fn prove_if_due(service: &Service) -> bool {
    let round = service.automation.verification.as_ref().expect("there is a round");
    round.prove_if_due().await
}

/// What Prometheus would read.
pub async fn metrics_text(service: &Service) -> String {
    let Service { metrics, jobs, measures, overviews, clock, .. } = service;
    exposition(metrics, jobs, measures, overviews, clock()).await
}
