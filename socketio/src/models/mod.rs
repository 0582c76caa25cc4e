//! Models of what threads do to one server at the same time. Each is explored: it must hold whatever runs first.
//!
//! The engine below is the one that is shipped, so what it does is one step; its own models are there.

mod asking;
mod calling;
mod entering;
mod leaving;
mod recovery;

use tokio::runtime::{Builder, Runtime};

/// Explores a model, which gets the runtime of its server. Its tasks run while the model waits in it, and only then; its clock
/// stands still.
fn explore(model: impl Fn(&Runtime) + Send + Sync + 'static) {
    schedules::explore(move || {
        // One for each execution: what the server of the last one left behind is not to run in this.
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_all().start_paused(true).build().unwrap();
        let _entered = runtime.enter();
        model(&runtime);
    });
}
