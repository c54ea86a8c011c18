//! Each connection is an open file, and the operating system lets a process have so many.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Files that are left for the store, the database and the log.
const OTHERS: u64 = 256;
/// There is always room for so many connections.
const FEWEST: usize = 16;

/// Raises the limit of open files for so many connections, as far as that is allowed; how many there
/// is room for.
pub fn room_for(connections: usize) -> usize {
    let wanted = OTHERS.saturating_add(connections as u64);
    let Ok((mut soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return connections.min(FEWEST);
    };
    if soft < wanted {
        let raised = wanted.min(hard);
        if setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_ok() {
            soft = raised;
        }
    }
    let room = usize::try_from(soft.saturating_sub(OTHERS)).unwrap_or(usize::MAX);
    let room = room.clamp(FEWEST, connections.max(FEWEST));
    if room < connections {
        tracing::warn!("the limit of {soft} open files leaves room for {room} connections");
    }
    room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_as_many_as_asked_for_and_never_for_none() {
        assert_eq!(room_for(20), 20);
        assert_eq!(room_for(0), FEWEST);
    }
}
