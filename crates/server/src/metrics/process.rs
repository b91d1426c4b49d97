//! The process as the system sees it, under the names that Prometheus' own clients use.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

#[derive(Debug)]
pub(super) struct Process {
    resident: Gauge,
}

impl Process {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let started: Gauge = Gauge::default();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        started.set(i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
        let help = "When the process started, since 1970";
        registry.register_with_unit("process_start_time", help, Unit::Seconds, started);
        let resident = Gauge::default();
        let help = "Memory that the process has; 0: the system does not say";
        registry.register_with_unit("process_resident_memory", help, Unit::Bytes, resident.clone());
        Self { resident }
    }

    /// Asks the system.
    pub(super) fn look(&self) {
        self.resident.set(resident_bytes().unwrap_or(0));
    }
}

/// Linux says it in a file.
fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}
