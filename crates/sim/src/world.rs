//! A world: devices with tabs, a server, and what happens to them in order of time.

use crate::backend::Backend;
use crate::coverage::{Count, Coverage};
use crate::device::Device;
use crate::disk::{Disk, End, Op, Tables, Work};
use crate::env::{Ailment, Env, Event};
use crate::local_storage::LocalStorage;
use crate::model::{Flaw, Kind, SLOTS};
use crate::rows::keys;
use crate::settings::{Fault, Settings};
use crate::tab::{Tab, TabEvent, Wanted, Within};

/// More than this many events in one world is a machine that spins.
const EVENTS_MAX: u64 = 60_000;

/// All there is.
pub(crate) struct World {
    pub(crate) env: Env,
    pub(crate) backend: Backend,
    pub(crate) devices: Vec<Device>,
    /// Every page load; those that are gone are none.
    pub(crate) tabs: Vec<Option<Tab>>,
    actions: u64,
    events: u64,
}

impl World {
    pub(crate) fn new(seed: u64, settings: Settings, traced: bool) -> Self {
        let mut env = Env::new(seed, settings, traced);
        let backend = Backend::new(&mut env);
        let (devices, tabs) = (Vec::new(), Vec::new());
        let mut world = Self { env, backend, devices, tabs, actions: 0, events: 0 };
        world.backend.start(&mut world.env);
        for _ in 0..world.env.settings.devices {
            world.add_device(Disk::new(Tables::default()), LocalStorage::default());
        }
        for number in 0..world.devices.len() {
            world.open_tab(number);
        }
        world
    }

    /// Faults strike while the app dispatches.
    pub(crate) fn be_unsafe(&mut self) {
        let settings = self.env.settings.clone();
        let end = self.env.now + settings.safety_ms;
        for _ in 0..settings.actions {
            let at = self.env.dice.below(settings.safety_ms);
            self.env.after(at, Event::Dispatch);
        }
        let mut at = 0;
        while at < settings.safety_ms {
            at += self.env.dice.within(1, 2 * settings.chaos_ms);
            self.env.after(at, Event::Chaos);
        }
        self.run(end);
        self.env.now = end;
    }

    /// Performs what is due, up to a time.
    pub(crate) fn run(&mut self, until: u64) {
        while let Some(event) = self.env.next(until) {
            self.events += 1;
            assert!(self.events < EVENTS_MAX, "I7: something goes on without end: {event:?}");
            self.perform(event);
            self.bury();
        }
    }

    pub(crate) fn coverage(&mut self) -> Coverage {
        self.backend.count(&mut self.env);
        self.env.coverage.clone()
    }

    pub(crate) fn add_device(&mut self, disk: Disk, local: LocalStorage) -> usize {
        let number = self.devices.len();
        self.devices.push(Device::new(disk, local));
        let delay = self.env.dice.within(500, 5_000);
        self.env.after(delay, Event::Sync(number));
        number
    }

    pub(crate) fn open_tab(&mut self, device: usize) {
        let open = self.tabs_on(device).len() as u64;
        if open >= self.env.settings.tabs {
            return;
        }
        let number = self.tabs.len();
        let mut within = Within { env: &mut self.env, device: &mut self.devices[device] };
        let tab = Tab::load(&mut within, number, device);
        self.env.living.insert(tab.client.clone());
        self.env.count(Count::TabOpened);
        self.tabs.push(Some(tab));
        let schemas: Vec<_> = self.tabs_on(device).iter().map(|n| self.tab(*n).schema).collect();
        if schemas.contains(&1) && schemas.contains(&2) {
            self.env.count(Count::OldSchemaBesideNew);
        }
    }

    /// The tabs that are open on a device.
    pub(crate) fn tabs_on(&self, device: usize) -> Vec<usize> {
        let here = |tab: &&Tab| tab.on == device;
        self.tabs.iter().flatten().filter(here).map(|tab| tab.number).collect()
    }

    /// All tabs that are open.
    pub(crate) fn open_tabs(&self) -> Vec<usize> {
        self.tabs.iter().flatten().map(|tab| tab.number).collect()
    }

    pub(crate) fn tab(&self, number: usize) -> &Tab {
        self.tabs[number].as_ref().expect("it is open")
    }

    /// Does something with a tab that is open, in its surroundings; then its task is over.
    pub(crate) fn with<R>(
        &mut self,
        number: usize,
        act: impl FnOnce(&mut Tab, &mut Within<'_>) -> R,
    ) -> Option<R> {
        let tab = self.tabs.get_mut(number)?.as_mut()?;
        let mut within = Within { env: &mut self.env, device: &mut self.devices[tab.on] };
        let result = act(tab, &mut within);
        tab.end_task(&mut within);
        Some(result)
    }

    /// A tab is told something.
    pub(crate) fn tell(&mut self, number: usize, event: TabEvent) {
        if let Some(tab) = self.tabs.get_mut(number).and_then(Option::as_mut) {
            tab.handle(
                &mut Within { env: &mut self.env, device: &mut self.devices[tab.on] },
                event,
            );
        }
    }

    fn perform(&mut self, event: Event) {
        let env = &mut self.env;
        match event {
            Event::Tab(tab, event) => self.tell(tab, event),
            Event::Disk(device) => self.transact(device),
            Event::Sync(device) => {
                self.devices[device].disk.sync();
                self.devices[device].local.sync();
                let delay = env.dice.within(500, 8_000);
                env.after(delay, Event::Sync(device));
            }
            Event::Recovered(device, ailment) => self.recover(device, ailment),
            Event::Open(device) => self.open_tab(device),
            Event::Thaw(tab) => self.thaw(tab),
            Event::Connect(link) => self.connect(link),
            Event::ToServer(link, text) => {
                if !env.network.links[link].dead {
                    self.backend.frame(env, link, &text);
                }
            }
            Event::ToClient(link, message) => {
                let link_state = &env.network.links[link];
                if link_state.client_open && !link_state.dead {
                    let tab = link_state.tab;
                    self.tell(tab, TabEvent::Frame(link, message));
                }
            }
            Event::ServerHears(link) => self.backend.hears(env, link),
            Event::ClientHears(link) => {
                env.network.links[link].client_open = false;
                let tab = env.network.links[link].tab;
                self.tell(tab, TabEvent::Closed(link));
            }
            Event::Mail(link) => self.backend.mail(env, link),
            Event::Unstall(link) => self.backend.unstall(env, link),
            Event::Idle(link) => self.backend.idle(env, link),
            Event::Append(life) => self.backend.appended(env, life),
            Event::Start => self.backend.start(env),
            Event::Dispatch => self.dispatch(),
            Event::Chaos => self.strike(),
        }
    }

    /// The first transaction of a disk's queue runs.
    fn transact(&mut self, number: usize) {
        let (env, device) = (&mut self.env, &mut self.devices[number]);
        device.busy = false;
        let Some(Op { tab, closed, work, wanted }) = device.disk.queue.pop_front() else { return };
        let strict = env.settings.strict;
        let mut put = None;
        let end = match work {
            Work::Change(work) => {
                put = Some(keys(&work.change.rows));
                let line = env.traced.then(|| work.change.to_string());
                let end = if closed {
                    End::Failed
                } else if env.strikes(Fault::TransactionFailed) {
                    env.count(Count::TransactionFailed);
                    End::Failed
                } else {
                    device.disk.perform(work, strict)
                };
                if let Some(line) = line {
                    env.trace(|| format!("disk {number}: tab {tab} {line}: {end:?}"));
                }
                end
            }
            Work::Claim | Work::Read if closed || device.disk.refuses => End::Failed,
            Work::Claim if device.disk.full => End::Full,
            Work::Claim | Work::Read => End::Done,
        };
        if end == End::Full {
            env.count(Count::QuotaFull);
        }
        let answer = answer(device, end, wanted);
        // Transactions end in their order, and so are their ends told.
        device.told_at = (env.now + env.dice.below(6)).max(device.told_at);
        env.after(device.told_at - env.now, Event::Tab(tab, answer));
        device.wake_disk(env, number);
        if end != End::Done
            && self.tabs[tab].is_none()
            && let Some(put) = put
        {
            // Where the journal was full as well, nothing has what a dead tab wrote in vain.
            self.audit("a failed transaction of a dead tab", |key, _| put.contains(key));
        }
    }

    pub(crate) fn recover(&mut self, device: usize, ailment: Ailment) {
        let device = &mut self.devices[device];
        match ailment {
            Ailment::DiskFull => device.disk.full = false,
            Ailment::JournalFull => device.local.full = false,
            Ailment::DatabaseRefused => device.disk.refuses = false,
        }
    }

    /// A tab goes on where it stood still.
    pub(crate) fn thaw(&mut self, number: usize) {
        let Some(tab) = self.tabs.get_mut(number).and_then(Option::as_mut) else { return };
        for event in tab.frozen.take().unwrap_or_default() {
            self.tell(number, event);
        }
    }

    fn connect(&mut self, link: usize) {
        let env = &mut self.env;
        if !env.network.links[link].client_open {
            return;
        }
        let tab = env.network.links[link].tab;
        let refused = env.strikes(Fault::LinkRefused);
        if refused {
            env.count(Count::LinkRefused);
        }
        let on = self.tabs[tab].as_ref().map(|tab| tab.on);
        let user = on.map_or(0, |on| self.devices[on].user);
        if refused || !self.backend.accept(env, link, user) {
            env.network.links[link].client_open = false;
            return self.tell(tab, TabEvent::Closed(link));
        }
        self.tell(tab, TabEvent::Opened(link));
    }

    /// The app dispatches: one action, or many in one task, within which its tab may die.
    fn dispatch(&mut self) {
        let tabs = self.open_tabs();
        let Some(number) = self.env.dice.pick(&tabs) else { return };
        if self.tab(number).frozen.is_some() {
            return;
        }
        let burst = self.env.strikes(Fault::Burst);
        let count = if burst { self.env.dice.within(2, 12) } else { 1 };
        let mortal = self.env.strikes(Fault::KilledInTask);
        if burst {
            self.env.count(Count::Burst);
        }
        let dies_after = if mortal { self.env.dice.below(count) } else { count };
        let actions: Vec<_> = (0..count).map(|_| self.new_action()).collect();
        self.with(number, |tab, within| {
            for (at, (id, what, routed)) in (0..).zip(actions) {
                tab.dispatch(within, id, what, routed);
                if at == dies_after {
                    tab.dead = true;
                    within.env.count(Count::KilledInTask);
                    within.env.trace(|| format!("tab {number}: dies in its task"));
                    return;
                }
            }
        });
    }

    pub(crate) fn new_action(&mut self) -> (u64, (Kind, usize, Flaw), bool) {
        self.actions += 1;
        let env = &mut self.env;
        let kind = if env.strikes(Fault::BadAction) {
            [Kind::Claim, Kind::Claim, Kind::Free, Kind::Loop, Kind::Newer][env.dice.place(5)]
        } else {
            Kind::Put
        };
        let flaw = if env.strikes(Fault::FlawedAction) {
            [Flaw::Large, Flaw::Deep, Flaw::NotPlain][env.dice.place(3)]
        } else {
            Flaw::None
        };
        let slot = env.dice.place(SLOTS);
        let routed = env.strikes(Fault::ServerRouted);
        (self.actions, (kind, slot, flaw), routed)
    }
}

/// What a tab is told when its transaction has ended.
fn answer(device: &mut Device, end: End, wanted: Wanted) -> TabEvent {
    let done = end == End::Done;
    let read = |device: &Device| done.then(|| device.disk.tables.read());
    match wanted {
        Wanted::Database(opening) => TabEvent::Database { stored: read(device), opening },
        Wanted::Written(written) => TabEvent::Written(end, written),
        Wanted::Claim { turn, losses } => {
            TabEvent::Claimed { term: done.then(|| device.disk.claim()), turn, losses }
        }
        Wanted::Entry(opening) => {
            TabEvent::Entered { term: done.then(|| device.disk.claim()), opening }
        }
        Wanted::Reread { losses, writes } => {
            TabEvent::Reread { stored: read(device), losses, writes }
        }
        Wanted::Clients { link } => {
            TabEvent::Clients { clients: done.then(|| device.disk.tables.clients()), link }
        }
        Wanted::Client { client, from, gone, link, losses } => {
            let rows = done.then(|| device.disk.tables.rows_of(&client));
            let rows = rows.map(|rows| rows.into_iter().filter(|row| row.n >= from).collect());
            TabEvent::Client { rows, client, gone, link, losses }
        }
    }
}
