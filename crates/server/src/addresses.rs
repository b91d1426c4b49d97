//! What each address does: sockets that are open, actions that were sent.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::limits::{self, Limits};
use crate::rate::Bucket;

/// All addresses that are here, or were lately.
#[derive(Debug)]
pub(crate) struct Addresses {
    limits: Limits,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    sockets: usize,
    by_address: HashMap<IpAddr, Use>,
}

#[derive(Debug)]
struct Use {
    sockets: usize,
    actions: Bucket,
}

/// There are as many sockets as may be.
#[derive(Debug)]
pub(crate) struct Full;

/// One socket's place. It is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    addresses: Arc<Addresses>,
    address: Option<IpAddr>,
}

impl Addresses {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, known: Mutex::default() })
    }

    /// The address that is counted; none: it is not. One holder of IPv6 has a whole /64.
    pub(crate) fn counted(&self, address: Option<IpAddr>) -> Option<IpAddr> {
        let address = address?.to_canonical();
        if address.is_loopback() && !self.limits.count_loopback {
            return None;
        }
        Some(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
        })
    }

    /// A place for a socket of that address.
    pub(crate) fn enter(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        now: u64,
    ) -> Result<Place, Full> {
        let address = self.counted(address);
        let mut known = self.known();
        if known.sockets >= self.limits.sockets {
            return Err(Full);
        }
        if let Some(address) = address {
            let user = known.user(address, &self.limits, now).ok_or(Full)?;
            if user.sockets >= self.limits.address_sockets {
                return Err(Full);
            }
            user.sockets += 1;
        }
        known.sockets += 1;
        Ok(Place { addresses: Arc::clone(self), address })
    }

    /// Milliseconds until that address may send an action; 0: now.
    pub(crate) fn wait(&self, address: Option<IpAddr>, now: u64) -> u64 {
        let Some(address) = address else { return 0 };
        let mut known = self.known();
        known.by_address.get_mut(&address).map_or(0, |user| user.actions.wait(now))
    }

    /// That address sends so many actions.
    pub(crate) fn take(&self, address: Option<IpAddr>, now: u64, actions: u64) {
        let Some(address) = address else { return };
        // Where more addresses come than are kept, those that send least are not counted.
        if let Some(user) = self.known().user(address, &self.limits, now) {
            user.actions.take(now, actions);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// None: more addresses are here than are kept.
    fn user(&mut self, address: IpAddr, limits: &Limits, now: u64) -> Option<&mut Use> {
        if !self.by_address.contains_key(&address) && self.by_address.len() >= limits::ADDRESSES {
            self.by_address.retain(|_, user| user.sockets > 0 || !user.actions.is_full(now));
            if self.by_address.len() >= limits::ADDRESSES {
                return None;
            }
        }
        let new = || Use { sockets: 0, actions: Bucket::new(limits.address_actions, now) };
        Some(self.by_address.entry(address).or_insert_with(new))
    }
}

impl Place {
    /// The address, where it is counted.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.address
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut known = self.addresses.known();
        known.sockets = known.sockets.saturating_sub(1);
        if let Some(user) = self.address.and_then(|address| known.by_address.get_mut(&address)) {
            user.sockets = user.sockets.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(change: impl FnOnce(&mut Limits)) -> Arc<Addresses> {
        let mut limits = Limits::DEFAULT;
        change(&mut limits);
        Addresses::new(limits)
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[test]
    fn places_of_one_address_and_of_all() {
        let all = addresses(|limits| (limits.address_sockets, limits.sockets) = (2, 3));
        let first = all.enter(ip("10.0.0.1"), 0).expect("a place");
        let _second = all.enter(ip("10.0.0.1"), 0).expect("a place");
        assert!(all.enter(ip("10.0.0.1"), 0).is_err());
        // The same address, as a socket for both families sees it.
        assert!(all.enter(ip("::ffff:10.0.0.1"), 0).is_err());
        let _other = all.enter(ip("10.0.0.2"), 0).expect("a place");
        assert!(all.enter(ip("10.0.0.3"), 0).is_err());
        drop(first);
        assert!(all.enter(ip("10.0.0.1"), 0).is_ok());
    }

    #[test]
    fn a_whole_network_of_ipv6_is_one() {
        let all = addresses(|limits| limits.address_sockets = 1);
        let _place = all.enter(ip("2001:db8:0:1::1"), 0).expect("a place");
        assert!(all.enter(ip("2001:db8:0:1:ffff::2"), 0).is_err());
        assert!(all.enter(ip("2001:db8:0:2::1"), 0).is_ok());
    }

    #[test]
    fn the_own_machine_is_not_counted_unless_it_is_to_be() {
        let all = addresses(|limits| limits.address_sockets = 1);
        let _places = [all.enter(ip("127.0.0.1"), 0), all.enter(ip("::1"), 0)];
        assert!(all.enter(ip("127.0.0.1"), 0).is_ok());
        let all = addresses(|limits| (limits.address_sockets, limits.count_loopback) = (1, true));
        let _place = all.enter(ip("127.0.0.1"), 0).expect("a place");
        assert!(all.enter(ip("127.0.0.1"), 0).is_err());
    }

    #[test]
    fn strangers_do_not_fill_the_memory() {
        let all = addresses(|_| {});
        for number in 0..2 * u32::try_from(limits::ADDRESSES).expect("it fits") {
            all.take(Some(IpAddr::V4(number.into())), u64::from(number) * 1_000, 1);
        }
        assert!(all.known().by_address.len() <= limits::ADDRESSES);
    }
}
