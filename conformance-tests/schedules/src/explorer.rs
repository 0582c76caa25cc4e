//! Runs a model under the schedules that are asked for, and tells of the one that failed.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe, Location, PanicHookInfo, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Once};

use shuttle::scheduler::{RoundRobinScheduler, Schedule as Record, Scheduler, Task, TaskId};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use crate::search::{Options, Replay, Schedule, Search};
use crate::{Bounds, Failure, sync};

/// Tests are built without optimisation and go deep; pages that are never touched cost nothing.
const STACK_BYTES: usize = 512 * 1024;

/// Who decides.
#[derive(Debug)]
pub(crate) enum Guide {
    Search(Search),
    Replay(Replay),
}

impl Guide {
    fn begin(&mut self) -> bool {
        match self {
            Self::Search(search) => search.begin(),
            Self::Replay(replay) => replay.begin(),
        }
    }

    fn choose(&mut self, options: &Options) -> usize {
        match self {
            Self::Search(search) => search.choose(options),
            Self::Replay(replay) => replay.choose(options),
        }
    }
}

/// Runs a model under every schedule of the guide; how many there were.
pub(crate) fn run(
    bounds: Bounds,
    guide: Guide,
    model: impl Fn() + Send + Sync + 'static,
) -> Result<usize, Box<Failure>> {
    let exploring = sync::Exploring::begin();
    assert!(exploring.is_some(), "an exploration within another");
    let explorer = Explorer(Rc::new(RefCell::new(State {
        guide,
        max_schedules: bounds.schedules,
        tried: 0,
        execution: Execution::default(),
    })));
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = MaxSteps::FailAfter(bounds.steps);
    tell_of_models_alone(&config);
    let runner = Runner::new(explorer.clone(), config);
    catch_unwind(AssertUnwindSafe(|| runner.run(model)))
        .map_err(|payload| Box::new(explorer.0.borrow().failure(&*payload)))
}

/// The runner has a word to say of every panic in the process, that of a test beside the models too. Here it is
/// heard of models only.
fn tell_of_models_alone(config: &Config) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual: Arc<Hook> = panic::take_hook().into();
        let beneath = Arc::clone(&usual);
        panic::set_hook(Box::new(move |info| beneath(info)));
        // The first run sets the hook.
        Runner::new(RoundRobinScheduler::new(1), config.clone()).run(|| {});
        let of_models = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if sync::is_exploring() {
                of_models(info);
            } else {
                usual(info);
            }
        }));
    });
}

type Hook = dyn Fn(&PanicHookInfo<'_>) + Send + Sync;

/// Shared, for the runner keeps the one it is given.
#[derive(Clone)]
struct Explorer(Rc<RefCell<State>>);

struct State {
    guide: Guide,
    max_schedules: usize,
    tried: usize,
    execution: Execution,
}

/// What the execution that runs, or ran last, has come to.
#[derive(Default)]
struct Execution {
    step: usize,
    schedule: Schedule,
    switches: Vec<Switch>,
    names: BTreeMap<usize, String>,
}

/// From one thread to another.
struct Switch {
    step: usize,
    from: Option<usize>,
    /// Before what the first one stopped.
    at: Option<&'static Location<'static>>,
    to: usize,
    /// The first one could have run on.
    is_preemption: bool,
}

impl Scheduler for Explorer {
    fn new_execution(&mut self) -> Option<Record> {
        let mut state = self.0.borrow_mut();
        if !state.guide.begin() {
            return None;
        }
        assert!(
            state.tried < state.max_schedules,
            "more than {} schedules: the model is too large",
            state.max_schedules
        );
        state.tried += 1;
        state.execution = Execution::default();
        sync::forget_gates();
        // Nothing here is random.
        Some(Record::new(0))
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let State {
            guide, execution, ..
        } = &mut *self.0.borrow_mut();
        let from = current.map(usize::from);
        let ids: Vec<usize> = runnable.iter().map(|task| task.id().into()).collect();
        for task in runnable {
            let name = || task.name().unwrap_or_default();
            execution.names.entry(task.id().into()).or_insert_with(name);
        }
        let options = Options::new(&ids, from, is_yielding);
        let to = guide.choose(&options);
        execution.enter(&options, from, to);
        Some(to.into())
    }

    fn next_u64(&mut self) -> u64 {
        0
    }
}

impl Execution {
    fn enter(&mut self, options: &Options, from: Option<usize>, to: usize) {
        let step = self.step;
        self.step += 1;
        let at = sync::take_stop();
        if options.threads.first() != Some(&to) {
            self.schedule.push(step, to);
        }
        if from != Some(to) {
            self.switches.push(Switch {
                step,
                from,
                at,
                to,
                is_preemption: options.is_preemptive,
            });
        }
    }

    fn name(&self, thread: usize) -> &str {
        self.names.get(&thread).map_or("", String::as_str)
    }

    fn describe(&self, switch: &Switch) -> String {
        let Switch { step, to, .. } = switch;
        let to = format!("{} ({to})", self.name(*to));
        let Some(from) = switch.from else {
            return format!("{step:>4} {to} begins");
        };
        let from = self.name(from);
        let how = if switch.is_preemption {
            "is preempted"
        } else {
            "stops"
        };
        match switch.at {
            Some(at) => format!("{step:>4} {from} {how} before {at}, {to} goes on"),
            None => format!("{step:>4} {from} {how}, {to} goes on"),
        }
    }
}

impl State {
    fn failure(&self, payload: &(dyn Any + Send)) -> Failure {
        let message = payload.downcast_ref::<String>().cloned().or_else(|| {
            payload
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
        });
        let execution = &self.execution;
        let switches = execution.switches.iter();
        Failure {
            message: message.unwrap_or_default(),
            schedule: execution.schedule.clone(),
            tried: self.tried,
            switches: switches.map(|switch| execution.describe(switch)).collect(),
        }
    }
}
