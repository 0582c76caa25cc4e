//! Socket.IO packets compared as a receiver would: the head as text, the data as JSON.

use serde_json::Value;

/// True when two packets differ at most in how their JSON is written.
pub(crate) fn is_same_packet(one: &str, other: &str) -> bool {
    let ((head, data), (other_head, other_data)) = (parts(one), parts(other));
    head == other_head && data == other_data
}

/// Type, attachments, namespace and id as text; the data as JSON, or as text where it is none.
fn parts(packet: &str) -> (&str, Result<Value, &str>) {
    let start = packet.find(['[', '{', '"']).unwrap_or(packet.len());
    let (head, data) = packet.split_at(start);
    (head, serde_json::from_str(data).map_err(|_| data))
}

#[cfg(test)]
mod tests {
    use super::is_same_packet;

    #[test]
    fn spaces_and_order_of_members_do_not_matter_and_all_else_does() {
        assert!(is_same_packet(
            r#"42/a,7["x",{"a":1,"b":2}]"#,
            r#"42/a,7["x", {"b": 2, "a": 1}]"#
        ));
        assert!(!is_same_packet(r#"42/a,7["x"]"#, r#"42/a,8["x"]"#));
        assert!(!is_same_packet(r#"42["x",1]"#, r#"42["x","1"]"#));
        assert!(is_same_packet("40", "40"));
        assert!(!is_same_packet("42[", "42[]"));
    }
}
