//! The tabs of one device: which of them leads, and what they tell each other.
//!
//! What `js/tabs.ts` is in the browser: one lock held for life, a channel, a question that a frozen leader does
//! not answer, and a lock that is stolen then.

use std::rc::Rc;

use twinstore_engine::Input;
use twinstore_engine::wire::Incoming;
use twinstore_protocol::planted::{self, Bug};
use twinstore_protocol::{ClientId, N};

use crate::coverage::Count;
use crate::env::Event;
use crate::storage::Home;
use crate::tab::{Tab, TabEvent, Within};
use crate::wire::Item;

/// A leader that was asked has to answer within this time.
const ANSWER_MS_MAX: u64 = 3_000;

/// How often a follower asks whether its leader is there.
const ASK_MS: u64 = 5_000;

/// A lock is taken from its holder no more often than this.
const STEAL_MS_MIN: u64 = 30_000;

/// What tabs say.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    Stored(ClientId, N),
    Frame(Rc<Incoming<Item>>),
    Link(bool, u32),
    Changed,
    State,
    Who(u32, Option<ClientId>),
    Roll,
}

/// A tab among others.
#[derive(Debug)]
pub(crate) struct Tabs {
    pub(crate) leads: bool,
    /// Its wait for the leader's answer; none: it does not wait.
    asked: Option<u64>,
    questions: u64,
    stolen_at: Option<u64>,
    link: (bool, u32),
    /// Its request for the lock: late grants of earlier ones are known as such.
    request: u64,
}

impl Tab {
    /// Joins the other tabs of the device.
    pub(crate) fn join(&mut self, w: &mut Within<'_>) {
        self.tabs = Some(Tabs {
            leads: false,
            asked: None,
            questions: 0,
            stolen_at: None,
            link: (false, 0),
            request: 0,
        });
        w.env.after(ASK_MS, Event::Tab(self.number, TabEvent::Ask));
        self.request_lead(w, false);
        let client = Some(self.client.clone());
        self.say(w, &Said::Who(self.schema, client));
    }

    /// Whether it may lead: it does, or there are no others.
    pub(crate) fn is_leader(&self) -> bool {
        self.tabs.as_ref().is_none_or(|tabs| tabs.leads)
    }

    pub(crate) fn say(&self, w: &mut Within<'_>, said: &Said) {
        if self.tabs.is_none() || self.dead {
            return;
        }
        // One channel: what is said is heard in order.
        let at = (w.env.now + w.env.dice.below(4)).max(w.device.said_at);
        w.device.said_at = at;
        for tab in w.device.tabs.iter().filter(|tab| **tab != self.number) {
            let delay = at - w.env.now;
            w.env.after(delay, Event::Tab(*tab, TabEvent::Said(said.clone())));
        }
    }

    pub(crate) fn say_stored(&mut self, w: &mut Within<'_>, n: N) {
        let client = self.client.clone();
        self.say(w, &Said::Stored(client, n));
        self.ask_leader(w);
    }

    pub(crate) fn say_changed(&self, w: &mut Within<'_>) {
        self.say(w, &Said::Changed);
    }

    /// The leader's link came up or went: the others hear of it.
    pub(crate) fn say_link(&mut self, w: &mut Within<'_>) {
        let status = self.engine.status();
        let link = (status.link == twinstore_engine::LinkState::Online, status.schema);
        let Some(tabs) = self.tabs.as_mut().filter(|tabs| tabs.leads && tabs.link != link) else {
            return;
        };
        tabs.link = link;
        self.say(w, &Said::Link(link.0, link.1));
    }

    /// Asks whether the leader is there. One that says nothing is replaced.
    pub(crate) fn ask_leader(&mut self, w: &mut Within<'_>) {
        let Some(tabs) = self.tabs.as_mut().filter(|tabs| !tabs.leads && tabs.asked.is_none())
        else {
            return;
        };
        tabs.questions += 1;
        tabs.asked = Some(tabs.questions);
        let unanswered = TabEvent::Unanswered(tabs.questions);
        w.env.after(ANSWER_MS_MAX, Event::Tab(self.number, unanswered));
        let client = Some(self.client.clone());
        self.say(w, &Said::Who(self.schema, client));
    }

    pub(crate) fn ask_again_later(&mut self, w: &mut Within<'_>) {
        if self.tabs.is_some() {
            self.ask_leader(w);
            w.env.after(ASK_MS, Event::Tab(self.number, TabEvent::Ask));
        }
    }

    /// Nobody answered: takes the lock from its holder.
    pub(crate) fn unanswered(&mut self, w: &mut Within<'_>, question: u64) {
        let now = w.env.now;
        let Some(tabs) = self.tabs.as_mut().filter(|tabs| tabs.asked == Some(question)) else {
            return;
        };
        tabs.asked = None;
        if tabs.leads || tabs.stolen_at.is_some_and(|at| now - at < STEAL_MS_MIN) {
            return;
        }
        tabs.stolen_at = Some(now);
        w.env.count(Count::LeadStolen);
        self.request_lead(w, true);
    }

    /// Another tab took the lead, or shall have it: follows, and waits for its turn again.
    pub(crate) fn step_down(&mut self, w: &mut Within<'_>) {
        let Some(tabs) = self.tabs.as_mut().filter(|tabs| tabs.leads) else { return };
        tabs.leads = false;
        self.release_lead(w);
        self.lead(w, false);
        self.request_lead(w, false);
        self.ask_leader(w);
    }

    /// The lock is held.
    pub(crate) fn granted(&mut self, w: &mut Within<'_>, request: u64) {
        let Some(tabs) = self.tabs.as_mut().filter(|tabs| tabs.request == request && !tabs.leads)
        else {
            return;
        };
        if w.device.leader != Some(self.number) && !planted::is(Bug::LeadsWithoutLock) {
            return; // it was stolen before it was told
        }
        tabs.leads = true;
        tabs.link = (false, 0);
        tabs.asked = None;
        w.env.count(Count::Led);
        w.env.trace(|| format!("tab {}: leads", self.number));
        self.lead(w, true);
        self.say(w, &Said::Roll);
        // Until this tab has its link, nobody has one.
        self.say(w, &Said::Link(false, 0));
    }

    /// Leaves the others.
    pub(crate) fn leave_tabs(&mut self, w: &mut Within<'_>) {
        if self.tabs.take().is_some() {
            w.device.waiting.retain(|(tab, _)| *tab != self.number);
            self.release_lead(w);
        }
    }

    pub(crate) fn hear(&mut self, w: &mut Within<'_>, said: Said) {
        let Some(tabs) = &mut self.tabs else { return };
        match said {
            Said::Stored(client, n) => return self.look(w, client, n),
            Said::Changed => return self.feed(w, Input::Changed),
            Said::State => {
                if tabs.leads {
                    self.feed(w, Input::StateAsked);
                }
                return;
            }
            // Whose app is newer leads: the older one could not fold what it brings.
            Said::Who(schema, _) if schema > self.schema => return self.step_down(w),
            Said::Who(_, client) => {
                let (online, schema) = tabs.link;
                if tabs.leads {
                    if let Some(client) = client {
                        self.outlive(w, client);
                    }
                    self.say(w, &Said::Link(online, schema));
                }
                return;
            }
            Said::Frame(_) | Said::Link(..) | Said::Roll => {}
        }
        // The rest is said by who leads; a leader that hears it was replaced and does not know yet.
        tabs.asked = None;
        if tabs.leads {
            return;
        }
        match said {
            Said::Frame(frame) => self.receive(w, (*frame).clone()),
            Said::Link(online, schema) => self.feed(w, Input::Relayed { online, schema }),
            _ => {
                let client = Some(self.client.clone());
                self.say(w, &Said::Who(self.schema, client));
            }
        }
    }

    /// This tab leads from now on, or follows; and its storage knows.
    pub(crate) fn led(&mut self, w: &mut Within<'_>, leads: bool) {
        self.feed(w, Input::Led(leads));
        self.adopt(w, None);
    }

    /// The home is another one, or opened anew. Where it is this tab's own, no other one shares it.
    pub(crate) fn go_alone(&mut self, w: &mut Within<'_>) {
        if self.store.home == Home::IndexedDb || self.tabs.is_none() {
            return self.adopt(w, None);
        }
        self.leave_tabs(w);
        self.lead(w, true);
    }

    /// Waits for the lock, or takes it from its holder.
    fn request_lead(&mut self, w: &mut Within<'_>, steal: bool) {
        let Some(tabs) = &mut self.tabs else { return };
        tabs.request += 1;
        let request = tabs.request;
        w.device.waiting.retain(|(tab, _)| *tab != self.number);
        if steal {
            if let Some(robbed) = w.device.leader.replace(self.number) {
                w.env.after(0, Event::Tab(robbed, TabEvent::Robbed));
            }
            let granted = TabEvent::Granted(tabs.request);
            w.env.after(0, Event::Tab(self.number, granted));
        } else {
            w.device.waiting.push_back((self.number, tabs.request));
            w.device.grant(w.env);
        }
        if planted::is(Bug::LeadsWithoutLock) {
            w.env.after(0, Event::Tab(self.number, TabEvent::Granted(request)));
        }
    }

    fn release_lead(&self, w: &mut Within<'_>) {
        if w.device.leader == Some(self.number) {
            w.device.leader = None;
            w.device.grant(w.env);
        }
    }
}
