//! `icmp://HOST`

use std::sync::Arc;
use std::time::Duration;

use url::Host;

use crate::domain::redaction::Masks;
use crate::domain::slow_limit::SlowLimit;
use crate::domain::target::IpVersion;

/// Between two echo requests: the pace at which routers do not count them as a flood.
pub const PING_GAP: Duration = Duration::from_millis(200);

/// What is said to who may not ping, with the line that allows it.
pub const NO_RIGHT_TO_PING: &str = "this user may not ping: allow it with \
     `sysctl -w net.ipv4.ping_group_range='0 2147483647'`, or give the program CAP_NET_RAW";

/// A host that is pinged.
#[derive(Debug)]
pub struct IcmpSubject {
    /// The monitor's `url`.
    pub url: Arc<str>,
    /// Its host.
    pub host: Host<String>,
    /// How it is pinged.
    pub manner: Arc<IcmpManner>,
}

/// How a host is pinged and how much may be lost.
#[derive(Debug, Clone)]
pub struct IcmpManner {
    /// The deadline of the whole check.
    pub timeout: Duration,
    /// Which address of a name is pinged.
    pub ip_version: IpVersion,
    /// Echo requests of one check.
    pub packets: u8,
    /// More lost packets than this, in per cent, are `packet_loss`.
    pub max_loss: u8,
    /// From when on a check is `degraded` since it is slow.
    pub degraded_after: SlowLimit,
    /// The values that must not be recorded or shown.
    pub masks: Masks,
}
