//! What a client has subscribed to, so that it can do so again on the next connection.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::request::{Delivery, Request};
use crate::answer::Reject;
use crate::status::Status;
use crate::updates::Update;
use crate::wire::SUBSCRIBE_NODES_MAX;

/// The nodes of the client's subscriptions, and the ways of their states. Bounded by what the server grants.
#[derive(Debug, Default)]
pub(crate) struct Interest {
    nodes: BTreeMap<u32, Delivery>,
    ended: VecDeque<(u32, Status)>,
}

impl Interest {
    /// The server carried this out.
    pub(crate) fn confirmed(&mut self, request: &Request) {
        match request {
            Request::Subscribe { nodes, delivery } => self.nodes.extend(nodes.iter().map(|node| (*node, *delivery))),
            Request::Unsubscribe { nodes } if nodes.is_empty() => self.nodes.clear(),
            Request::Unsubscribe { nodes } => nodes.iter().for_each(|node| _ = self.nodes.remove(node)),
            _ => {}
        }
    }

    /// What to ask for on a new connection.
    pub(crate) fn again(&self) -> Vec<Request> {
        let mut requests = Vec::new();
        for delivery in [Delivery::Stream, Delivery::Datagram] {
            let nodes = self.nodes.iter().filter(|(_, way)| **way == delivery).map(|(node, _)| *node);
            let nodes: Vec<u32> = nodes.collect();
            let chunks = nodes.chunks(SUBSCRIBE_NODES_MAX);
            requests.extend(chunks.map(|nodes| Request::Subscribe { nodes: nodes.to_vec(), delivery }));
        }
        requests
    }

    /// What was asked for again is refused, for one of its nodes: that one ends; the others are to be asked for once more.
    pub(crate) fn refused_again(&mut self, request: &Request, reject: &Reject) -> Option<Request> {
        let Request::Subscribe { nodes, delivery } = request else { return None };
        // Where the server names none of them, it is the first: each refusal ends one, so they end.
        let ended = nodes.iter().find(|node| **node == reject.node).or(nodes.first()).copied()?;
        self.nodes.remove(&ended);
        self.ended.push_back((ended, reject.status));
        let nodes: Vec<u32> = nodes.iter().filter(|node| **node != ended).copied().collect();
        (!nodes.is_empty()).then_some(Request::Subscribe { nodes, delivery: *delivery })
    }

    /// A node that ended so and was not told yet.
    pub(crate) fn next_ended(&mut self) -> Option<(u32, Status)> {
        self.ended.pop_front()
    }
}

/// Most nodes whose last datagram is remembered.
const REMEMBERED_MAX: usize = 65_536;

/// Keeps states from going back, on one connection: datagrams overtake each other, and the stream.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    /// Of nodes that came by datagram: the order of the newest state.
    newest: HashMap<u32, u32>,
}

impl Orders {
    /// Whether this state is newer than what was taken up of its node before.
    pub(crate) fn is_news(&self, update: &Update<'_>) -> bool {
        self.newest.get(&update.node).is_none_or(|known| !update.is_behind(*known))
    }

    /// The state is taken up. With more than 65,536 nodes by datagram the memory begins anew, and a state may go back for the
    /// moment that the stream takes to bring the last one.
    pub(crate) fn taken_up(&mut self, update: &Update<'_>, by_datagram: bool) {
        if by_datagram && self.newest.len() >= REMEMBERED_MAX {
            self.newest.clear();
        }
        if by_datagram || self.newest.contains_key(&update.node) {
            self.newest.insert(update.node, update.order);
        }
    }

    /// These nodes are subscribed to: they come as they are, even if they are as they were.
    pub(crate) fn forget(&mut self, nodes: &[u32]) {
        nodes.iter().for_each(|node| _ = self.newest.remove(node));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Slot;

    fn subscribe(nodes: &[u32], delivery: Delivery) -> Request {
        Request::Subscribe { nodes: nodes.to_vec(), delivery }
    }

    #[test]
    fn what_was_confirmed_is_asked_for_again_in_frames_that_fit() {
        let mut interest = Interest::default();
        let many: Vec<u32> = (0..100).collect();
        interest.confirmed(&subscribe(&many, Delivery::Stream));
        interest.confirmed(&subscribe(&[7, 200], Delivery::Datagram));
        interest.confirmed(&Request::Unsubscribe { nodes: vec![0, 999] });
        let again = interest.again();
        let stream: Vec<u32> = (1..100).filter(|node| *node != 7).collect();
        assert_eq!(again[0], subscribe(&stream[..64], Delivery::Stream));
        assert_eq!(again[1], subscribe(&stream[64..], Delivery::Stream));
        assert_eq!(again[2..], [subscribe(&[7, 200], Delivery::Datagram)]);
        interest.confirmed(&Request::Unsubscribe { nodes: vec![] });
        assert!(interest.again().is_empty());
    }

    #[test]
    fn a_node_that_is_refused_ends_alone() {
        let mut interest = Interest::default();
        let asked = subscribe(&[3, 4, 5], Delivery::Stream);
        interest.confirmed(&asked);
        let reject = |node, status| Reject { counter: 1, status, node };
        let rest = interest.refused_again(&asked, &reject(4, Status::FORBIDDEN)).unwrap();
        assert_eq!(rest, subscribe(&[3, 5], Delivery::Stream));
        let rest = interest.refused_again(&rest, &reject(0, Status::UNAUTHORIZED)).unwrap();
        assert_eq!(interest.refused_again(&rest, &reject(5, Status::OVERLOADED)), None);
        let ended: Vec<_> = std::iter::from_fn(|| interest.next_ended()).collect();
        assert_eq!(ended, [(4, Status::FORBIDDEN), (3, Status::UNAUTHORIZED), (5, Status::OVERLOADED)]);
        assert!(interest.again().is_empty());
    }

    #[test]
    fn states_of_datagrams_do_not_go_back_and_those_of_the_stream_pass() {
        let (mut orders, slot) = (Orders::default(), [0; 256]);
        let state = |node, order| Update {
            counter: 0,
            revision: 0,
            rollbacks: 0,
            version: 0,
            node,
            order,
            slot: Slot::new(&slot),
        };
        for (node, order, by_datagram, news) in [
            (1, 0, false, true),
            (1, 0, false, true),
            (2, 4, true, true),
            (2, 2, true, false),
            (2, 4, false, false),
            (2, 6, false, true),
            (2, 6, true, false),
            (3, 2, true, true),
        ] {
            assert_eq!(orders.is_news(&state(node, order)), news, "node {node}, order {order}");
            if news {
                orders.taken_up(&state(node, order), by_datagram);
            }
        }
        orders.forget(&[2]);
        assert!(orders.is_news(&state(2, 6)), "told anew");
    }
}
