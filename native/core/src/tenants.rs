//! Dynamic slot pooling: every tenant has a guaranteed number of slots, and all share the rest.

/// What a tenant may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantQuota {
    /// The tenant's number, as in its tokens.
    pub tenant: u32,
    /// Slots kept free for it whatever others do.
    pub guaranteed_slots: u32,
    /// Most slots it may hold, the guaranteed ones included.
    pub slots_max: u32,
}

struct Tenant {
    quota: TenantQuota,
    used: u32,
}

/// Who holds how many slots. Entry 0 stands for everyone without a quota of his own.
pub(crate) struct Tenants {
    tenants: Vec<Tenant>,
    /// Tenant entry of each slot in use.
    owners: Vec<u8>,
    /// Guaranteed slots not in use, over all tenants.
    reserved: u32,
}

/// Most tenants with a quota of their own: an owner is one byte a slot.
pub(crate) const TENANTS_MAX: usize = u8::MAX as usize;

impl Tenants {
    /// Quotas over `capacity` slots; `None` where memory is short.
    pub(crate) fn new(quotas: &[TenantQuota], capacity: u32) -> Option<Tenants> {
        let everyone = TenantQuota { tenant: 0, guaranteed_slots: 0, slots_max: capacity };
        let mut tenants = Vec::new();
        tenants.try_reserve_exact(quotas.len() + 1).ok()?;
        tenants.push(Tenant { quota: everyone, used: 0 });
        tenants.extend(quotas.iter().map(|quota| Tenant { quota: *quota, used: 0 }));
        tenants[1..].sort_unstable_by_key(|tenant| tenant.quota.tenant);
        let mut owners = Vec::new();
        owners.try_reserve_exact(capacity as usize).ok()?;
        owners.resize(capacity as usize, 0);
        Some(Tenants { tenants, owners, reserved: quotas.iter().map(|quota| quota.guaranteed_slots).sum() })
    }

    /// The entry of the tenant with this number.
    pub(crate) fn entry(&self, tenant: u32) -> u8 {
        match self.tenants[1..].binary_search_by_key(&tenant, |entry| entry.quota.tenant) {
            Ok(index) => (index + 1) as u8,
            Err(_) => 0,
        }
    }

    /// Whether the tenant may take one of the `free` slots.
    pub(crate) fn may_take(&self, entry: u8, free: u32) -> bool {
        let tenant = &self.tenants[usize::from(entry)];
        let guaranteed = tenant.used < tenant.quota.guaranteed_slots;
        tenant.used < tenant.quota.slots_max && (guaranteed && free > 0 || free > self.reserved)
    }

    /// The tenant whose quota the slot, which is in use, counts against; 0 for everyone without a quota.
    pub(crate) fn owner(&self, slot: u32) -> u32 {
        self.tenants[usize::from(self.owners[slot as usize])].quota.tenant
    }

    /// The tenant took the slot.
    pub(crate) fn take(&mut self, entry: u8, slot: u32) {
        let tenant = &mut self.tenants[usize::from(entry)];
        self.reserved -= u32::from(tenant.used < tenant.quota.guaranteed_slots);
        tenant.used += 1;
        self.owners[slot as usize] = entry;
    }

    /// The slot came back; returns the entry of who held it.
    pub(crate) fn give(&mut self, slot: u32) -> u8 {
        let entry = self.owners[slot as usize];
        let tenant = &mut self.tenants[usize::from(entry)];
        tenant.used -= 1;
        self.reserved += u32::from(tenant.used < tenant.quota.guaranteed_slots);
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guarantee_holds_against_a_greedy_neighbour_and_the_rest_is_shared() {
        let quotas = [
            TenantQuota { tenant: 7, guaranteed_slots: 3, slots_max: 10 },
            TenantQuota { tenant: 5, guaranteed_slots: 0, slots_max: 2 },
        ];
        let mut tenants = Tenants::new(&quotas, 10).unwrap();
        let (others, five, seven) = (tenants.entry(0), tenants.entry(5), tenants.entry(7));
        assert_eq!(tenants.entry(6), others);
        let mut free = 10;
        let mut take = |tenants: &mut Tenants, entry| {
            let may = tenants.may_take(entry, free);
            if may {
                free -= 1;
                tenants.take(entry, free);
            }
            may
        };
        assert!(take(&mut tenants, five) && take(&mut tenants, five) && !take(&mut tenants, five));
        (0..5).for_each(|_| assert!(take(&mut tenants, others)));
        assert!(!take(&mut tenants, others), "the last three are kept for tenant 7");
        (0..3).for_each(|_| assert!(take(&mut tenants, seven)));
        assert!(!take(&mut tenants, seven));
        assert_eq!(tenants.give(0), seven);
        assert!(!tenants.may_take(others, 1) && tenants.may_take(seven, 1));
    }
}
