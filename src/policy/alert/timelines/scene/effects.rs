//! What a step decides, as lines of a timeline.

use super::*;

impl Scene {
    pub(super) fn follow(&mut self, effect: Effect) {
        let line = match effect {
            Effect::Open(incident) => {
                assert_eq!(self.open, None, "one incident at a time");
                self.open = Some(incident.key);
                format!("opened {}", clock(incident.key.opened_at))
            }
            Effect::Progress(incident) => {
                assert_eq!(self.open, Some(incident.key), "progress of the open one");
                return;
            }
            Effect::Close { incident, ending } => {
                assert_eq!(self.open.take(), Some(incident.key), "a close has its open");
                let ending = match ending {
                    Ending::Recovered => "",
                    Ending::Paused => ", paused",
                    Ending::Removed => ", removed",
                };
                let failed = incident.checks_failed;
                let window = if incident.maintenance {
                    ", maintenance"
                } else {
                    ""
                };
                let at = clock(incident.closed_at.unwrap());
                format!("closed {at}, {failed} failed{window}{ending}")
            }
            Effect::Raise(incident) => {
                assert_eq!(self.open, Some(incident.key), "only what is open is raised");
                let windows = &self.memory.kept.windows;
                let open = self.maintenance || windows.is_open(self.now);
                assert!(!open, "nothing is raised inside a window");
                assert!(self.raised.insert(incident.key), "raised once");
                if !self.shows_level {
                    return;
                }
                "raised".to_owned()
            }
            Effect::Say { news, to } => match to {
                Recipients::Of(Side::Messages, to) => self.say(&news, &to),
                Recipients::Of(Side::Incidents, to) => {
                    let line = self.say(&news, &to);
                    if !self.shows_level {
                        return;
                    }
                    format!("{line}, to services")
                }
                to => self.say(&news, &to),
            },
            Effect::Window { from, to } => format!("window {} to {}", clock(from), clock(to)),
            Effect::DropWaiting(_) => "waiting mails dropped".to_owned(),
            // What is recorded of it is what the check said.
            Effect::Record(_) | Effect::AskOthers { .. } => return,
            Effect::StopEscalation(_) => "waiting escalations dropped".to_owned(),
            Effect::CheckParents if self.parents.is_empty() => return,
            Effect::CheckParents => "parents due".to_owned(),
            Effect::CheckAgain { after } => {
                self.again = Some(self.now.plus(after));
                return;
            }
        };
        self.write(line);
    }

    fn say(&mut self, news: &News, to: &Recipients) -> String {
        let mut only = "";
        match to {
            Recipients::Configured => {
                let windows = &self.memory.kept.windows;
                let open = self.maintenance || windows.is_open(self.now);
                assert!(!open, "no mail inside a window: {news:?}");
                self.told.extend(news.incident());
            }
            Recipients::Escalation { .. } => {
                let windows = &self.memory.kept.windows;
                let open = self.maintenance || windows.is_open(self.now);
                assert!(!open, "no mail inside a window: {news:?}");
                let incident = news.incident().unwrap();
                assert!(
                    self.told.contains(&incident),
                    "never ESCALATED without DOWN"
                );
            }
            Recipients::Told(of) => {
                assert!(
                    of.iter().any(|key| self.told.contains(key)),
                    "never UP without DOWN"
                );
            }
            Recipients::Of(..) => panic!("a side of a side"),
            Recipients::Untold(of) => {
                assert!(self.told.contains(of), "never UP without DOWN");
                only = ", untold only";
            }
        }
        match news {
            News::Down {
                cause,
                checks_failed,
                held,
                last_good,
                ..
            } => {
                let held = held.as_ref().map(|held| format!(", held by {held}"));
                let good = last_good
                    .as_ref()
                    .map(|good| format!(", good {}", clock(good.at)));
                format!(
                    "mail DOWN {}, {checks_failed} failed{}{}",
                    word(cause.failure.kind, cause.status),
                    good.unwrap_or_default(),
                    held.unwrap_or_default()
                )
            }
            News::StillDown { incident, next, .. } => {
                let next = next.map(|next| format!(", next {}", clock(next)));
                let since = Human(self.now.since(incident.opened_at));
                format!("mail STILL DOWN {since}{}", next.unwrap_or_default())
            }
            News::Escalated { after, .. } => {
                let Recipients::Escalation { to, again } = to else {
                    panic!("an escalation goes to those of its step: {to:?}");
                };
                let keys = |of: &[Recipient]| -> String {
                    let keys: Vec<&str> = of.iter().map(Recipient::key).collect();
                    keys.join(" ")
                };
                let again = match again.as_slice() {
                    [] => String::new(),
                    again => format!(", again to {}", keys(again)),
                };
                let to = match to.as_slice() {
                    [] => String::new(),
                    to => format!(" to {}", keys(to)),
                };
                format!("mail ESCALATED {}{to}{again}", Human(*after))
            }
            News::Up {
                incident,
                closed_at,
                ..
            } => format!(
                "mail UP after {}{only}",
                Human(closed_at.since(incident.opened_at))
            ),
            News::Degraded {
                since,
                count,
                reason,
                ..
            } => format!("mail DEGRADED {reason} {count} since {}", clock(*since)),
            News::CertificateExpiring { step, .. } => {
                format!("mail DEGRADED certificate_expiring {}", Human(*step))
            }
            News::Flapping { changes, .. } => format!("mail FLAPPING {changes}"),
            News::RedirectChanged { before, check, .. } => format!(
                "mail REDIRECT CHANGED {} to {}",
                before.final_url, check.chain.final_url
            ),
            News::Blind { .. }
            | News::Trouble { .. }
            | News::Back { .. }
            | News::Burn { .. }
            | News::Report { .. }
            | News::Test => {
                panic!("not of one monitor: {news:?}")
            }
        }
    }
}
