//! A sample address plan of any size, and what happens to one: daily edits and a bad day.

mod block;
mod cloud;
mod copy_text;
mod device42;
mod edits;
mod load;
mod mess;
mod moment;
mod prefix;
mod public;
mod random;
mod site;
mod size;
mod tags;
mod vrf;

pub use edits::{edit_clustered, edit_random, touch_subnets};
pub use load::{connect, load, load_if_empty};
pub use mess::{Mishap, make_mess};
pub use size::{PlanCounts, PlanSize};

#[cfg(test)]
mod tests {
    use super::{PlanSize, load, make_mess};
    use sqlx::PgConnection;

    /// Compiles only if a server may run these on whatever thread it likes.
    #[test]
    fn loading_and_wrecking_can_be_spawned() {
        fn sent(_: impl Send) {}
        fn spawned(connection: &mut PgConnection) {
            sent(crate::embedded::apply_schema(connection));
            sent(load(connection, PlanSize::default()));
            sent(make_mess(connection));
        }
        let _ = spawned;
    }
}
