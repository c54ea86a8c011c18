//! Threads for work that computes or blocks, so that nobody else waits for it.

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::panic::resume_unwind;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;

use nix::unistd::{getpid, getsid};
use rustix::process::setpriority_process;
use tokio::task::{JoinHandle, spawn_blocking};

/// The lowest priority that there is.
const LOWEST: i32 = 19;

/// By how much threads give way while others wait for their work: a restore holds the tables. On a busy machine
/// the lowest priority would hold them for minutes.
const HASTE: i32 = 5;

/// How many restores are under way.
static HASTENING: AtomicUsize = AtomicUsize::new(0);

/// As long as this is held, new threads give way by less.
#[derive(Debug)]
pub struct Haste(());

impl Haste {
    /// Begins.
    #[must_use]
    pub fn begin() -> Self {
        HASTENING.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Haste {
    fn drop(&mut self) {
        HASTENING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Does work on a thread of its own, of a low priority: whoever asks the database or this
/// program for something meanwhile is served first. As with [`spawn_blocking`], the end of the runtime
/// waits for it; unlike there, the work is outside of the runtime, so that what it reads from a local
/// store needs no further thread.
pub fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    spawn_blocking(|| {
        let quiet = || {
            give_way();
            work()
        };
        thread::spawn(quiet).join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Lowers the priority of this thread. On Linux alone: elsewhere it would be that of the process.
pub fn give_way() {
    if cfg!(target_os = "linux") {
        let hastening = HASTENING.load(Ordering::Relaxed) > 0;
        // A system that refuses has only lost a courtesy.
        let _ = setpriority_process(None, if hastening { HASTE } else { LOWEST });
    }
}

/// The nice value of a session that holds this program alone: what others gain before it costs much.
///
/// With 0, 3 and 5, the longest wait of a reader beside a restore was 13, 5 and 3 ms at 1,000,000 prefixes and 26, 4
/// and 6 at 5,000,000 (medians of seven and of four; 5 and 6 beside `pg_dump`). Where nobody else asked, a first
/// backup took 1 % less to 2 % more time with 3, and 7 % more with 5 (at 100,000: 7 and 12 %, 13 and 24 ms).
const NICE_SESSION: &str = "3";

/// Lowers the priority of a program that serves nobody. To be called before it begins a thread, as
/// each has the priority of the one that begins it.
///
/// Linux may share out processor time between sessions first (`CONFIG_SCHED_AUTOGROUP`, see sched(7)): then the
/// priority of a thread counts among those of its session, and each process of the database has a
/// session of its own. So the session gives way, too, unless it is somebody else's, as that of a
/// shell in a terminal is: there the value would outlast this program. A leader that this program cannot
/// see, being outside of its container, has the id 0 here, as has the session of the system's first
/// process; nix takes that, and rustix does not.
pub fn give_way_as_a_whole() {
    give_way();
    if cfg!(target_os = "linux") && getsid(None) == Ok(getpid()) {
        // As above: a courtesy.
        let _ = fs::write("/proc/self/autogroup", NICE_SESSION);
    }
}

/// The variable that tells glibc how many arenas it may have.
const ARENAS: &str = "MALLOC_ARENA_MAX";

/// Begins this program anew, once, with one arena for all threads, unless somebody has said how many.
///
/// glibc gives each thread an arena of its own and keeps in each what was freed there, up to twice the
/// largest buffer: of a restore's memory that was two fifths. It reads the variable before `main`,
/// and the call that would set it later is unsafe. Does nothing with another C library, and where
/// the program cannot find itself.
pub fn share_one_arena() {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) || env::var_os(ARENAS).is_some() {
        return;
    }
    let mut arguments = env::args_os();
    if let (Ok(program), Some(name)) = (env::current_exe(), arguments.next()) {
        // Returns only if it fails; then this one goes on, and takes more memory.
        let _ = Command::new(program).arg0(name).args(arguments).env(ARENAS, "1").exec();
    }
}

/// What is shared between threads, for this one alone.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds what is shared")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::getpriority_process;

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn work_gives_way_and_its_caller_does_not() {
        let before = getpriority_process(None).expect("our own");
        let within = spawn(|| getpriority_process(None).expect("our own")).await.expect("no panic");
        assert_eq!((within, getpriority_process(None)), (LOWEST, Ok(before)));
        // Less where others wait for it.
        let _haste = Haste::begin();
        let within = spawn(|| getpriority_process(None).expect("our own")).await.expect("no panic");
        assert_eq!((within, getpriority_process(None)), (HASTE, Ok(before)));
    }

    #[tokio::test]
    async fn a_panic_is_told_to_whoever_waits() {
        let panicked = spawn(|| panic!("as it should")).await;
        assert!(panicked.is_err_and(|error| error.is_panic()));
    }
}
