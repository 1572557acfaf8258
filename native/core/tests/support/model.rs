//! The slow, obvious engine: sorted maps, every rule as protocol.md words it, and a full copy of every revision.

use std::collections::BTreeMap;

use lodestone_core::{EdgeChange, PUT_ARCS_MAX, PutError, TenantQuota};
use lodestone_memory::{Record, RecordKind, Status};

/// Everything that a rollback takes back.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct World {
    /// Content and tenant of each slot in use.
    pub(crate) slots: BTreeMap<u32, ([u8; 256], u32)>,
    /// Slot and version of each node that ever moved.
    pub(crate) nodes: BTreeMap<u32, (Option<u32>, u64)>,
    pub(crate) edges: BTreeMap<(u32, u32), u32>,
}

/// Sizes of the engine under test.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) nodes_max: u32,
    pub(crate) slots_max: u32,
    pub(crate) edges_max: u32,
    pub(crate) tenants: Vec<TenantQuota>,
}

pub(crate) struct Model {
    pub(crate) limits: Limits,
    pub(crate) world: World,
    pub(crate) revision: u64,
    pub(crate) branch: u64,
    /// The world at each revision up to the present one, the present one included.
    pub(crate) history: Vec<World>,
    /// Edges that the last batch changed.
    pub(crate) changes: Vec<EdgeChange>,
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    bytes.get(offset..offset + 4).map_or(0, |four| u32::from_le_bytes(four.try_into().unwrap()))
}

impl Model {
    pub(crate) fn new(limits: Limits) -> Self {
        let world = World::default();
        let history = vec![world.clone()];
        Self { limits, world, revision: 0, branch: 0, history, changes: vec![] }
    }

    /// A batch of MOVEs and RELEASEs; status and node of each.
    pub(crate) fn step(&mut self, records: &[Record<'_>]) -> Vec<(Status, u32)> {
        self.changes.clear();
        let outcomes: Vec<_> = records.iter().map(|record| self.decide(record)).collect();
        if outcomes.iter().any(|(status, _)| *status == Status::Ok) {
            self.commit();
        }
        outcomes
    }

    pub(crate) fn put(&mut self, arcs: &[EdgeChange]) -> Result<u64, PutError> {
        assert!(arcs.len() <= PUT_ARCS_MAX);
        let nodes_max = self.limits.nodes_max;
        for (index, arc) in arcs.iter().enumerate() {
            if arc.source >= nodes_max || arc.target >= nodes_max || arc.source == arc.target || arc.mask == 0 {
                return Err(PutError::OutOfBounds { index });
            }
        }
        let new = arcs.iter().filter(|arc| !self.world.edges.contains_key(&(arc.source, arc.target))).count();
        if self.world.edges.len() + new > self.limits.edges_max as usize {
            return Err(PutError::GraphFull);
        }
        self.changes.clear();
        arcs.iter().for_each(|arc| self.set_edge(*arc));
        if !self.changes.is_empty() {
            self.commit();
        }
        Ok(self.revision)
    }

    /// Back to a revision that is known to be in the window.
    pub(crate) fn rollback(&mut self, revision: u64) {
        self.history.truncate(revision as usize + 1);
        self.world = self.history[revision as usize].clone();
        self.revision = revision;
        self.branch += 1;
    }

    fn commit(&mut self) {
        self.revision += 1;
        self.history.push(self.world.clone());
    }

    fn decide(&mut self, record: &Record<'_>) -> (Status, u32) {
        let (node, result) = match record.head.kind {
            RecordKind::Move => (u32_at(record.packet, 0), self.decide_move(record)),
            RecordKind::Release => (record.head.node, self.decide_release(record)),
            _ => panic!("not a change"),
        };
        (result.err().unwrap_or(Status::Ok), node)
    }

    fn decide_move(&mut self, record: &Record<'_>) -> Result<(), Status> {
        let (head, packet) = (record.head, record.packet);
        if head.status != Status::Ok {
            return Err(head.status);
        }
        let (source, target, mask) = (u32_at(packet, 0), u32_at(packet, 4), u32_at(packet, 8));
        let bounds = self.limits.nodes_max;
        if !(24..=256).contains(&packet.len()) || source >= bounds || target >= bounds || source == target {
            return Err(Status::OutOfBounds);
        }
        let payload_length = usize::from(packet[14]) + 256 * usize::from(packet[15]);
        if packet[12] != 0 || packet[13] != 0 || payload_length != packet.len() - 24 {
            return Err(Status::OutOfBounds);
        }
        if source < head.node_first || source > head.node_last {
            return Err(Status::Forbidden);
        }
        let expected = u64::from_le_bytes(packet[16..24].try_into().unwrap());
        let (slot, version) = self.world.nodes.get(&source).copied().unwrap_or((None, 0));
        if expected != 0 && (slot.is_none() || version != expected) {
            return Err(Status::Conflict);
        }
        let (slot, tenant) = match slot {
            Some(slot) => (slot, self.world.slots[&slot].1),
            None => (self.free_slot(head.tenant).ok_or(Status::ArenaExhausted)?, head.tenant),
        };
        let new_edge = !self.world.edges.contains_key(&(source, target));
        if mask != 0 && new_edge && self.world.edges.len() == self.limits.edges_max as usize {
            return Err(Status::GraphFull);
        }
        let mut content = [0; 256];
        content[..packet.len()].copy_from_slice(packet);
        content[12] = packet[8] ^ packet[9];
        content[13] = 1;
        content[16..24].copy_from_slice(&(version + 1).to_le_bytes());
        self.world.slots.insert(slot, (content, tenant));
        self.world.nodes.insert(source, (Some(slot), version + 1));
        self.set_edge(EdgeChange { source, target, mask });
        Ok(())
    }

    fn decide_release(&mut self, record: &Record<'_>) -> Result<(), Status> {
        let (head, node) = (record.head, record.head.node);
        if node >= self.limits.nodes_max || head.argument != 0 {
            return Err(Status::OutOfBounds);
        }
        if node < head.node_first || node > head.node_last {
            return Err(Status::Forbidden);
        }
        let (slot, version) = self.world.nodes.get(&node).copied().unwrap_or((None, 0));
        let slot = slot.ok_or(Status::NoSlot)?;
        self.world.slots.remove(&slot);
        self.world.nodes.insert(node, (None, version));
        Ok(())
    }

    /// The lowest free slot, if the tenant may have one more: below its maximum, and with every slot that is still
    /// guaranteed to another tenant left alone.
    fn free_slot(&self, tenant: u32) -> Option<u32> {
        let known = |id: u32| self.limits.tenants.iter().any(|quota| quota.tenant == id);
        let used = |id: u32| self.world.slots.values().filter(|(_, owner)| *owner == id).count() as u32;
        let most = match self.limits.tenants.iter().find(|quota| quota.tenant == tenant) {
            Some(quota) => quota.slots_max,
            None => self.limits.slots_max,
        };
        let held = if known(tenant) {
            used(tenant)
        } else {
            self.world.slots.values().filter(|(_, owner)| !known(*owner)).count() as u32
        };
        let others = self.limits.tenants.iter().filter(|quota| quota.tenant != tenant);
        let kept: u32 = others.map(|quota| quota.guaranteed_slots.saturating_sub(used(quota.tenant))).sum();
        let free = self.limits.slots_max - self.world.slots.len() as u32;
        let lowest = (0..self.limits.slots_max).find(|slot| !self.world.slots.contains_key(slot));
        lowest.filter(|_| held < most && free > kept)
    }

    fn set_edge(&mut self, edge: EdgeChange) {
        let ends = (edge.source, edge.target);
        let before =
            if edge.mask == 0 { self.world.edges.remove(&ends) } else { self.world.edges.insert(ends, edge.mask) };
        if before.unwrap_or(0) != edge.mask {
            self.changes.push(edge);
        }
    }
}
