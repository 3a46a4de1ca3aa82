//! From the core's `tracing` events to the `'log'` events of the broker that they name by incarnation.

use crate::broker::js::event::Event;
use crate::broker::js::queue::Inbox;
use crate::ids::Incarnation;
use crate::level::Level;
use crate::lock::lock;
use once_cell::sync::Lazy;
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, Weak};
use tracing::field::{Field, Visit};
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{Layer, Registry};

/// Where the events of one incarnation go.
struct Sink {
    inbox: Weak<Inbox>,
    wanted: Arc<AtomicBool>,
}

static SINKS: Lazy<Mutex<HashMap<String, Sink>>> = Lazy::new(Mutex::default);
/// Brokers whose `'log'` somebody listens to: without one, an event costs a single load.
static LISTENERS: AtomicUsize = AtomicUsize::new(0);
static INSTALL: Once = Once::new();

/// Whether the log of one broker is wanted; shared by all its lives.
#[derive(Clone, Default)]
pub(crate) struct Wanted(Arc<AtomicBool>);

impl Wanted {
    pub(crate) fn set(&self, wanted: bool) {
        if self.0.swap(wanted, Ordering::AcqRel) != wanted {
            if wanted {
                LISTENERS.fetch_add(1, Ordering::AcqRel);
            } else {
                LISTENERS.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }
}

/// Sends what names this incarnation to this inbox from now on, instead of what named the broker's last one.
pub(crate) fn attach(incarnation: &Incarnation, inbox: &Weak<Inbox>, wanted: &Wanted) {
    INSTALL.call_once(|| {
        // An application's own subscriber, set from another addon of this process, goes first: then ours stays out.
        let _ = tracing::subscriber::set_global_default(Registry::default().with(Bridge));
    });
    let mut sinks = lock(&SINKS);
    sinks.retain(|_, sink| sink.inbox.strong_count() > 0 && !Weak::ptr_eq(&sink.inbox, inbox));
    sinks.insert(incarnation.to_string(), Sink { inbox: inbox.clone(), wanted: wanted.0.clone() });
}

struct Bridge;

impl<S: Subscriber> Layer<S> for Bridge {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.target().starts_with("dworker") {
            Interest::sometimes()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _context: Context<'_, S>) -> bool {
        LISTENERS.load(Ordering::Acquire) > 0 && metadata.target().starts_with("dworker")
    }

    fn on_event(&self, event: &tracing::Event<'_>, _context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::INFO => Level::Info,
            _ => Level::Debug,
        };
        let inbox = match lock(&SINKS).get(&fields.broker) {
            Some(sink) if sink.wanted.load(Ordering::Acquire) => sink.inbox.upgrade(),
            _ => None,
        };
        if let Some(inbox) = inbox {
            inbox.push(Event::Log { level, message: fields.message });
        }
    }
}

#[derive(Default)]
struct Fields {
    broker: String,
    message: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "broker" => self.broker = format!("{value:?}"),
            "message" => self.message = format!("{value:?}"),
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "broker" => self.broker = value.into(),
            "message" => self.message = value.into(),
            _ => {}
        }
    }
}
