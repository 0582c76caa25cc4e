//! Opening a session against whoever closes it.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method};

use super::{Told, explore_in_runtime, hub};
use crate::config::Config;
use crate::http::Query;
use crate::http::request::{Caller, Headers, RequestView};
use crate::proto::event::Input;
use crate::server::clock;
use crate::server::drain;
use crate::server::exchange::open::{admit_at_once, open_polling};
use crate::server::session::shared::HubOf;

/// What a client's first request does; whether it was answered with a session.
fn shake_hands(hub: &Arc<HubOf<()>>) -> bool {
    let headers = HeaderMap::new();
    let target = "/engine.io/?EIO=4&transport=polling";
    let request = RequestView::new(
        &Method::GET,
        target,
        Headers::Map(&headers, None),
        &Caller::UNKNOWN,
    );
    let query = Query::parse(&request);
    admit_at_once(hub, &query)
        .and_then(|id| open_polling(hub, &request, &query, id))
        .is_ok()
}

/// Goes through what can happen to a handshake beside what another thread does; then `check`, with whether there was a session.
fn explore_beside(other: fn(&Arc<HubOf<()>>), check: fn(&HubOf<()>, &Told, bool)) {
    explore_in_runtime(move |_| {
        let (hub, told) = hub(Config::new());
        let (of_client, of_closer) = (Arc::clone(&hub), Arc::clone(&hub));
        let client = schedules::spawn("client", move || shake_hands(&of_client));
        let closer = schedules::spawn("closer", move || other(&of_closer));
        let is_opened = client.join();
        closer.join();
        told.check_calls_were_serial();
        check(&hub, &told, is_opened);
    });
}

#[test]
fn a_session_that_is_closed_while_it_opens_is_told_ready_first_and_closed_once() {
    explore_beside(
        |hub| {
            for session in hub.registry.all() {
                session.handle(clock::now(), Input::Discard);
            }
        },
        |hub, told, is_opened| {
            assert!(is_opened);
            let told = told.made();
            match hub.registry.count() {
                0 => assert_eq!(told, ["ready", "close"]),
                _ => assert_eq!(told, ["ready"], "it came too late"),
            }
        },
    );
}

fn none_is_left(hub: &HubOf<()>, told: &Told, is_opened: bool) {
    assert_eq!(hub.registry.count(), 0);
    assert!(hub.registry.all().is_empty());
    let told = told.made();
    if is_opened {
        assert_eq!(told, ["ready", "close"]);
    } else {
        assert!(told.is_empty(), "{told:?}");
    }
}

#[test]
fn no_session_outlives_the_closing_of_its_engine() {
    explore_beside(|hub| drain::close(hub), none_is_left);
}

#[test]
fn no_session_outlives_the_draining_of_its_engine() {
    explore_beside(
        |hub| schedules::block_on(drain::run(hub, Duration::ZERO)),
        none_is_left,
    );
}
