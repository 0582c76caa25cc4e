//! The tables of limits in the docs say what the code does.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::auth::{NamespacePolicy, limits::AuthLimits};
use crate::codec::PacketLimits;
use crate::live::settings::Settings;
use crate::proto::client;
use crate::proto::inbox::Bounds;
use crate::proto::rooms::RoomBounds;

const CHAPTER: &str = include_str!("../guide/limits.md");
const FIRST_PAGE: &str = include_str!("../lib.rs");

fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

fn bytes(number: usize) -> String {
    match number {
        _ if number.is_multiple_of(1024 * 1024) => format!("{} MiB", number / 1024 / 1024),
        // A kibibyte is a usual number of bytes.
        _ if number.is_multiple_of(1024) && number > 8 * 1024 => format!("{} KiB", number / 1024),
        _ => format!("{} bytes", count(number)),
    }
}

fn time(duration: Duration) -> String {
    format!("{duration:?}").replace('s', " s")
}

/// Every bound of this crate and of authentication. Who adds a field is stopped by the patterns.
fn bounds() -> BTreeMap<&'static str, String> {
    let Settings {
        ack_timeout,
        max_pending_acks,
        rooms: RoomBounds {
            per_socket,
            per_namespace,
        },
        max_room_name_bytes,
        max_dynamic_namespaces,
        inbox:
            Bounds {
                max_in_flight,
                max_bytes,
                overflow_bytes,
            },
        event_rate,
        keeping: _,
        state: _,
        on_namespace: _,
        binds_peer: _,
        packets:
            PacketLimits {
                max_attachments,
                max_attachment_bytes,
                max_depth,
                max_values,
                max_namespace_len,
                max_query_len,
            },
        client:
            client::Limits {
                connect_timeout,
                attachment_timeout,
                max_namespaces,
                max_connecting,
            },
    } = Settings::default();
    let policy = NamespacePolicy::default();
    let limits = AuthLimits::default();
    BTreeMap::from([
        (
            "ack_timeout",
            ack_timeout.map_or_else(|| "none".to_owned(), time),
        ),
        ("max_pending_acks", count(max_pending_acks)),
        ("max_rooms_per_socket", count(per_socket)),
        ("max_rooms_per_namespace", count(per_namespace)),
        ("max_room_name_bytes", bytes(max_room_name_bytes)),
        ("max_dynamic_namespaces", count(max_dynamic_namespaces)),
        ("max_handlers_in_flight", count(max_in_flight as usize)),
        ("inbox_max_bytes", bytes(max_bytes)),
        ("inbox_overflow_bytes", bytes(overflow_bytes)),
        (
            "events_per_second",
            event_rate.map_or("none", |_| "some").to_owned(),
        ),
        ("max_attachments", count(max_attachments)),
        ("max_attachment_bytes", bytes(max_attachment_bytes)),
        ("max_depth", count(max_depth as usize)),
        ("max_values", count(max_values)),
        ("max_namespace_len", bytes(max_namespace_len)),
        ("max_query_len", bytes(max_query_len)),
        ("connect_timeout", time(connect_timeout)),
        ("attachment_timeout", time(attachment_timeout)),
        ("max_namespaces_per_connection", count(max_namespaces)),
        ("max_concurrent_connects", count(max_connecting)),
        ("deadline", time(policy.deadline)),
        ("verify_timeout", time(policy.verify_timeout)),
        ("middleware_timeout", time(policy.middleware_timeout)),
        ("reject_grace", time(policy.reject_grace)),
        ("max_attempts", count(policy.max_attempts as usize)),
        ("max_payload_bytes", bytes(policy.max_payload_bytes)),
        ("max_pending_packets", count(policy.max_pending_packets)),
        ("max_pending_bytes", bytes(policy.max_pending_bytes)),
        (
            "max_ignored_packets",
            count(policy.max_ignored_packets as usize),
        ),
        (
            "max_empty_attempts",
            count(policy.max_empty_attempts as usize),
        ),
        ("min_renewal_interval", time(policy.min_renewal_interval)),
        ("max_pending", count(limits.max_pending as usize)),
        (
            "max_pending_per_address",
            limits
                .max_pending_per_address
                .map_or_else(|| "none".to_owned(), |most| count(most as usize)),
        ),
    ])
}

/// A bound of the engine, as its options show it.
fn of_engine(name: &str) -> Option<String> {
    let options = format!("{:?}", engineio::Config::default());
    let (_, rest) = options.split_once(&format!(" {name}: "))?;
    let shown = rest.split([',', ' ']).next()?;
    let is_of_bytes = name.ends_with("bytes") || name == "high_watermark" || name == "max_payload";
    Some(match shown.parse() {
        Ok(usize::MAX) if name == "max_packets_per_payload" => "what fits".to_owned(),
        Ok(usize::MAX) => "none".to_owned(),
        Ok(number) if is_of_bytes => bytes(number),
        Ok(number) => count(number),
        Err(_) => shown.replace('s', " s"),
    })
}

/// The rows whose first cell is the name of an option, with their second cell.
fn rows(page: &'static str) -> Vec<(&'static str, &'static str)> {
    let lines = page.lines().map(|line| line.trim_start_matches("//! "));
    let rows = lines.filter_map(|line| {
        let (name, rest) = line.strip_prefix("| [`")?.split_once("`](")?;
        let (_, rest) = rest.split_once(") | ")?;
        Some((name, rest.split_once(" |")?.0))
    });
    rows.collect()
}

#[test]
fn the_chapter_on_limits_has_every_bound_with_its_default() {
    let rows = rows(CHAPTER);
    let mut bounds = bounds();
    for (name, said) in rows {
        let default = bounds.remove(name).or_else(|| of_engine(name));
        assert_eq!(Some(said), default.as_deref(), "{name}");
    }
    assert!(bounds.is_empty(), "not in the chapter: {bounds:?}");
}

#[test]
fn the_first_page_says_the_same_defaults() {
    let bounds = bounds();
    let mut seen = 0;
    for (name, said) in rows(FIRST_PAGE) {
        let Some(default) = bounds.get(name) else {
            continue;
        };
        let number = default.trim_end_matches(" bytes");
        assert!(said.starts_with(number), "{name}: {said}, not {default}");
        seen += 1;
    }
    assert!(seen >= 14, "{seen}");
}
