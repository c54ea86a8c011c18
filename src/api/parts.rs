//! The parts of the service that handlers take: `State<Jobs>` in a signature says what a call works with.

use std::sync::Arc;

use axum::extract::FromRef;

use crate::engine::{Clock, Engine};
use crate::service::access::{Callers, Refusals};
use crate::service::automation::{HealthMonitor, Live, Retention, ScheduleView};
use crate::service::jobs::Jobs;
use crate::service::notify::Notifier;
use crate::service::{Audit, Measures, Metrics, Overviews, Places, Service, StateFolder};

macro_rules! parts {
    ($($part:ty: $($field:ident).+;)*) => {
        $(impl FromRef<Service> for $part {
            fn from_ref(service: &Service) -> Self {
                service.$($field).+.clone()
            }
        })*
    };
}

parts! {
    Engine: engine;
    Jobs: jobs;
    Callers: callers;
    Refusals: refusals;
    Places: places;
    StateFolder: state;
    Audit: audit;
    Arc<Metrics>: metrics;
    Overviews: overviews;
    Measures: measures;
    Arc<HealthMonitor>: automation.health;
    ScheduleView: automation.schedule;
    Arc<Retention>: automation.retention;
    Live: automation.live;
    Notifier: automation.notifier;
    Clock: clock;
}
