//! Maintenance windows that last as long as a command: who holds which, by an open connection.
//!
//! A window belongs to the process that runs the command. If its connection ends without a word, that process is gone.
//! After a start of the daemon the processes have a moment to come back for theirs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::daemon::active::Running;
use crate::daemon::recorder::message::{Enrolled, Entry, Reply};
use crate::daemon::recorder::queue::Door;
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::monitor::Order;

/// Deploys that run at one time; each holds a connection.
pub(super) const HELD_MAX: usize = 256;

/// A process looks for the daemon twice a second; one that was stopped for long has lost its window.
const COMES_BACK_WITHIN: Duration = Duration::from_secs(30);

/// All of them.
#[derive(Debug, Default)]
pub struct HeldWindows(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    newest: u64,
    windows: BTreeMap<u64, Window>,
}

#[derive(Debug)]
struct Window {
    monitors: Vec<MonitorId>,
    /// Connections that hold it.
    lines: u32,
}

impl HeldWindows {
    /// Those that a daemon before this one left, which nobody holds yet.
    pub fn left(&self, left: &[(u64, MonitorId)]) {
        let mut state = self.state();
        for (number, monitor) in left {
            state.newest = state.newest.max(*number);
            let window = state.windows.entry(*number).or_insert(Window {
                monitors: Vec::new(),
                lines: 0,
            });
            window.monitors.push(*monitor);
        }
    }

    /// Monitors that came back, from a list that was awaited, with such windows: one that nobody holds by now ends.
    pub fn came_back(&self, held: &[(u64, MonitorId)], door: &Door) {
        let mut state = self.state();
        for (number, monitor) in held {
            match state.windows.get_mut(number) {
                Some(window) if window.monitors.contains(monitor) => {}
                Some(window) => window.monitors.push(*monitor),
                None => {
                    let window = Window {
                        monitors: vec![*monitor],
                        lines: 0,
                    };
                    push(Some(window), Order::RunnerGone { window: *number }, door);
                }
            }
        }
    }

    /// A number that no window had.
    pub fn number(&self, now: Timestamp) -> u64 {
        let mut state = self.state();
        state.newest = now.as_ms().unsigned_abs().max(state.newest + 1);
        state.newest
    }

    /// Whether another window can be held.
    pub fn has_room(&self) -> bool {
        self.state().windows.len() < HELD_MAX
    }

    /// A window was opened, and one connection holds it.
    pub fn opened(&self, number: u64, monitors: Vec<MonitorId>) {
        let lines = 1;
        self.state()
            .windows
            .insert(number, Window { monitors, lines });
    }

    /// Another connection holds a window; false if it is over.
    pub fn hold(&self, number: u64) -> bool {
        match self.state().windows.get_mut(&number) {
            Some(window) => {
                window.lines += 1;
                true
            }
            None => false,
        }
    }

    /// The command of a window exited.
    pub fn ended(&self, number: u64, door: &Door) {
        let window = self.state().windows.remove(&number);
        let order = Order::CommandEnded { window: number };
        push(window, order, door);
    }

    /// A connection that held a window is gone; with the last one the window ends.
    pub fn let_go(&self, number: u64, door: &Door) {
        let mut state = self.state();
        let Some(window) = state.windows.get_mut(&number) else {
            return;
        };
        window.lines = window.lines.saturating_sub(1);
        if window.lines == 0 {
            let window = state.windows.remove(&number);
            push(window, Order::RunnerGone { window: number }, door);
        }
    }

    /// Ends those that nobody came back for.
    pub fn end_unheld(&self, door: &Door) {
        let mut state = self.state();
        let unheld = state.windows.extract_if(.., |_, window| window.lines == 0);
        for (number, window) in unheld {
            push(Some(window), Order::RunnerGone { window: number }, door);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn push(window: Option<Window>, order: Order, door: &Door) {
    if let Some(Window { monitors, .. }) = window {
        door.push(Entry::Order {
            monitors,
            order,
            given: None,
            reply: Reply::none(),
        });
    }
}

/// Windows that commands hold: the wrapper of one reconnects, or is gone.
pub(in crate::daemon) fn take_up_windows(running: &Arc<Running>, enrolled: &Enrolled) {
    running.held_windows.left(&enrolled.held);
    if enrolled.held.is_empty() {
        return;
    }
    let running = Arc::clone(running);
    tokio::spawn(async move {
        tokio::time::sleep(COMES_BACK_WITHIN).await;
        running.held_windows.end_unheld(&running.door);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::recorder::queue::queue;

    fn orders(held: impl FnOnce(&Door)) -> Vec<String> {
        let (door, waiting) = queue();
        held(&door);
        let entries = waiting.take(Duration::ZERO);
        entries.iter().map(|entry| format!("{entry:?}")).collect()
    }

    #[test]
    fn the_last_connection_ends_it_and_a_command_ends_it_once() {
        let held = HeldWindows::default();
        let now = Timestamp::from_ms(1000);
        let (a, b) = (held.number(now), held.number(now));
        assert_eq!((a, b), (1000, 1001));
        held.opened(a, vec![MonitorId(1)]);
        assert!(held.hold(a) && !held.hold(b));
        assert!(orders(|door| held.let_go(a, door)).is_empty());
        assert_eq!(
            orders(|door| held.let_go(a, door)),
            ["Order(RunnerGone { window: 1000 })"]
        );
        held.opened(b, vec![MonitorId(1)]);
        assert_eq!(
            orders(|door| held.ended(b, door)),
            ["Order(CommandEnded { window: 1001 })"]
        );
        assert!(orders(|door| held.let_go(b, door)).is_empty());
    }

    #[test]
    fn what_comes_back_later_ends_unless_it_is_held() {
        let held = HeldWindows::default();
        held.left(&[(7, MonitorId(1))]);
        assert!(held.hold(7));
        let came = [(7, MonitorId(1)), (7, MonitorId(2)), (9, MonitorId(3))];
        assert_eq!(
            orders(|door| held.came_back(&came, door)),
            ["Order(RunnerGone { window: 9 })"]
        );
        assert_eq!(held.state().windows[&7].monitors.len(), 2);
    }

    #[test]
    fn what_a_daemon_left_ends_unless_somebody_comes_back() {
        let held = HeldWindows::default();
        held.left(&[(7, MonitorId(1)), (7, MonitorId(2)), (9, MonitorId(1))]);
        assert!(held.hold(9));
        assert_eq!(
            orders(|door| held.end_unheld(door)),
            ["Order(RunnerGone { window: 7 })"]
        );
        assert_eq!(held.number(Timestamp::from_ms(0)), 10);
    }
}
