//! Answers as JSON.

use lodestone_client::command_line::Object;
use lodestone_client::{Answer, Path, Reject, Slot, State, Status, Update, Welcome};

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The stream of this number.
    Stream(u32),
    /// A datagram.
    Datagram,
}

/// The line of an event at a source.
pub(crate) fn event_at(name: &str, source: Source) -> Object {
    let line = Object::new().text("event", name);
    match source {
        Source::Stream(number) => line.number("stream", u64::from(number)),
        Source::Datagram => line.flag("datagram", true),
    }
}

/// The line of an answer.
pub(crate) fn answer_line(source: Source, answer: &Answer<'_>) -> Object {
    match answer {
        Answer::Ack(ack) => event_at("ack", source).number("counter", ack.counter).number("revision", ack.revision),
        Answer::Reject(reject) => reject_line(source, reject),
        Answer::Path(path) => path_line(source, path),
        Answer::State(state) => state_line(source, state),
        Answer::Subscribed(subscribed) => event_at("subscribed", source)
            .number("counter", subscribed.counter)
            .number("revision", subscribed.revision)
            .number("subscriptions", u64::from(subscribed.subscriptions)),
        Answer::Latest(update) => update_fields(event_at("update", source), update),
        Answer::Close { status, text } => end_line("close", *status, text),
    }
}

/// The line of an update.
pub(crate) fn update_line(update: &Update<'_>) -> Object {
    update_fields(Object::new().text("event", "update"), update)
}

fn update_fields(line: Object, update: &Update<'_>) -> Object {
    let line = line
        .number("counter", update.counter)
        .number("revision", update.revision)
        .number("rollbacks", update.rollbacks)
        .number("node", u64::from(update.node))
        .number("node_version", update.version)
        .number("order", u64::from(update.order));
    with_slot(line, &update.slot)
}

fn reject_line(source: Source, reject: &Reject) -> Object {
    if reject.is_rollback() {
        return event_at("rolled_back", source);
    }
    let line = event_at("reject", source).number("counter", reject.counter);
    with_status(line, reject.status).number("node", u64::from(reject.node))
}

fn path_line(source: Source, path: &Path<'_>) -> Object {
    let line = event_at("path", source)
        .number("counter", path.counter)
        .number("revision", path.revision)
        .flag("found", path.nodes_total > 0);
    let line = if path.nodes_total > 0 { line.number("distance", path.distance) } else { line };
    line.number("nodes_total", u64::from(path.nodes_total)).numbers("nodes", path.nodes().map(u64::from))
}

fn state_line(source: Source, state: &State<'_>) -> Object {
    let line = event_at("state", source).number("counter", state.counter).number("revision", state.revision);
    with_slot(line, &state.slot)
}

fn with_slot(line: Object, slot: &Slot<'_>) -> Object {
    line.flag("active", slot.is_active())
        .number("source", u64::from(slot.source()))
        .number("target", u64::from(slot.target()))
        .number("edge_mask", u64::from(slot.edge_mask()))
        .number("weight", u64::from(slot.weight()))
        .number("version", slot.version())
        .hex("payload", slot.payload())
        .hex("slot", slot.bytes())
}

/// The line of the server's greeting.
pub(crate) fn welcome_line(welcome: &Welcome) -> Object {
    Object::new()
        .text("event", "welcome")
        .number("session", u64::from(welcome.session))
        .number("streams_max", u64::from(welcome.streams_max))
        .number("revision", welcome.revision)
        .number("nodes_max", u64::from(welcome.nodes_max))
        .number("packet_max", u64::from(welcome.packet_max))
}

/// The line of a session that the server ended or did not open.
pub(crate) fn end_line(event: &str, status: Status, text: &str) -> Object {
    with_status(Object::new().text("event", event), status).text("text", text)
}

fn with_status(line: Object, status: Status) -> Object {
    line.text("status", status.name()).number("status_code", u64::from(status.code()))
}

#[cfg(test)]
mod tests {
    use lodestone_client::{Ack, Slot};

    use super::*;

    fn text(source: Source, answer: Answer<'_>) -> String {
        answer_line(source, &answer).to_text()
    }

    #[test]
    fn answers_become_lines() {
        let ack = Answer::Ack(Ack { counter: 3, revision: 9 });
        assert_eq!(text(Source::Stream(2), ack), r#"{"event":"ack","stream":2,"counter":3,"revision":9}"#);
        assert_eq!(text(Source::Datagram, ack), r#"{"event":"ack","datagram":true,"counter":3,"revision":9}"#);
        let reject = Reject { counter: 4, status: Status::CONFLICT, node: 7 };
        assert_eq!(
            text(Source::Stream(0), Answer::Reject(reject)),
            r#"{"event":"reject","stream":0,"counter":4,"status":"CONFLICT","status_code":5,"node":7}"#
        );
        let notice = Reject { counter: u64::MAX, status: Status::ROLLED_BACK, node: 0 };
        assert_eq!(text(Source::Stream(0), Answer::Reject(notice)), r#"{"event":"rolled_back","stream":0}"#);
        let close = Answer::Close { status: Status::OK, text: "bye" };
        assert_eq!(text(Source::Stream(0), close), r#"{"event":"close","status":"OK","status_code":0,"text":"bye"}"#);
    }

    #[test]
    fn slots_are_shown_by_field_and_whole() {
        let mut bytes = [0; 256];
        bytes[..26]
            .copy_from_slice(&[1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 1, 0, 3, 1, 2, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0xab, 0xcd]);
        let state = State { counter: 1, revision: 5, slot: Slot::new(&bytes) };
        let line = text(Source::Stream(0), Answer::State(state));
        let fields = r#""active":true,"source":1,"target":2,"edge_mask":65539,"weight":3,"version":9,"payload":"abcd""#;
        assert!(line.contains(fields), "{line}");
        assert!(line.ends_with(&format!("{}\"}}", "00".repeat(230))), "{line}");
    }
}
