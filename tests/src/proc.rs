//! What the kernel says of processes.

use std::collections::HashMap;
use std::fs;

use anyhow::Context as _;

/// Clock ticks per second in `/proc/*/stat`; fixed by Linux's user interface.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU and memory of a process and all its descendants.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// User and system seconds so far, ended children included.
    pub cpu_s: f64,
    /// Proportional set size, MiB.
    pub pss_mib: f64,
}

/// Process ids of `root` and its descendants.
fn tree(root: u32) -> Vec<u32> {
    let parents: HashMap<u32, u32> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|pid| Some((pid, stat(pid)?.0)))
        .collect();
    let mut found = vec![root];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        found.extend(parents.iter().filter(|(_, p)| **p == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found
}

/// Parent, and CPU ticks with those of ended children.
fn stat(pid: u32) -> Option<(u32, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = (11..15).filter_map(|i| fields.get(i)?.parse::<u64>().ok()).sum();
    Some((fields.get(1)?.parse().ok()?, ticks))
}

/// Usage of a whole tree now.
pub fn usage(root: u32) -> Usage {
    let mut usage = Usage::default();
    for pid in tree(root) {
        usage.cpu_s += stat(pid).map_or(0, |(_, ticks)| ticks) as f64 / TICKS_PER_SECOND;
        let pss = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let kib = pss
            .lines()
            .find_map(|l| l.strip_prefix("Pss:"))
            .and_then(|l| l.split_whitespace().next()?.parse().ok());
        usage.pss_mib += kib.unwrap_or(0.0) / 1024.0;
    }
    usage
}

/// Memory of a process that no file backs and no other process shares, MiB.
pub fn own_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = status.lines().find_map(|l| {
        l.strip_prefix("RssAnon:")?
            .split_whitespace()
            .next()?
            .parse::<f64>()
            .ok()
    });
    kib.unwrap_or(0.0) / 1024.0
}

/// The same of a process and of those of its descendants that run the same program, MiB.
pub fn own_tree_mib(root: u32) -> f64 {
    let program = |pid: u32| fs::read_link(format!("/proc/{pid}/exe")).ok();
    let own = program(root);
    tree(root)
        .into_iter()
        .filter(|pid| program(*pid) == own)
        .map(own_mib)
        .sum()
}

/// File descriptors that a process has open.
pub fn descriptors(pid: u32) -> anyhow::Result<usize> {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).with_context(|| format!("no process {pid}"))?;
    Ok(open.count())
}

/// Prints what the figures depend on.
pub fn print_conditions() -> anyhow::Result<()> {
    let cpu = fs::read_to_string("/proc/cpuinfo").context("cannot read /proc/cpuinfo")?;
    let model = cpu
        .lines()
        .find_map(|l| l.strip_prefix("model name")?.split(": ").nth(1))
        .unwrap_or("unknown");
    let cores = cpu.lines().filter(|l| l.starts_with("processor")).count();
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split_whitespace().next().unwrap_or_default();
    println!("Conditions: {cores} cores of {model}; load average at the start {load}; loopback; release build.\n");
    Ok(())
}
