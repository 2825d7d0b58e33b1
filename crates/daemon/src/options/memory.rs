//! Options about memory and items.

use super::{OPT, Opt, Set};
use crate::refusal::Refusal;
use crate::units::{KIB, MIB, decimal, number, size};

/// The largest `-I`: 1 GiB.
const ITEM_SIZE_MAX: u64 = 1 << 30;

/// The largest `-m`, a pebibyte: beyond it somebody has mistaken the unit.
const MEMORY_LIMIT_MAX: u64 = 1 << 50;

pub(super) const OPTIONS: &[Opt] = &[
    Opt {
        short: Some('m'),
        long: "memory-limit",
        value: "num",
        default: "64",
        sample: "1g",
        row: "maxbytes",
        doc: "Memory for items and their index together, in megabytes or with a unit (64m, 1g).",
        set: Set::Value(|settings, text| {
            settings.memory_limit = memory_limit(text)?;
            Ok(())
        }),
        ..OPT
    },
    Opt {
        short: Some('M'),
        long: "disable-evictions",
        row: "evictions",
        doc: "Answers with an error when memory is full, instead of evicting items.",
        set: Set::Switch(|settings| settings.evictions = false),
        ..OPT
    },
    Opt {
        short: Some('I'),
        long: "max-item-size",
        value: "num",
        default: "1m",
        sample: "4m",
        row: "item_size_max",
        doc: "Largest item, in bytes or with a unit: from 1k to 1g, and at most half of -m.",
        set: Set::Value(|settings, text| {
            settings.item_size_max = item_size_max(text)?;
            Ok(())
        }),
        ..OPT
    },
    Opt {
        short: Some('k'),
        long: "lock-memory",
        doc: "Locks memory, so that it is never swapped out. Where the system forbids it, only warns.",
        set: Set::Switch(|settings| settings.lock_memory = true),
        ..OPT
    },
    Opt {
        short: Some('f'),
        long: "slab-growth-factor",
        value: "num",
        default: "1.25",
        sample: "1.08",
        row: "growth_factor",
        doc: "Accepted and shown; slab classes grow by steps of their own here.",
        set: Set::Value(|settings, text| {
            settings.growth_factor = growth_factor(text)?;
            Ok(())
        }),
        effect: false,
    },
    Opt {
        short: Some('n'),
        long: "slab-min-size",
        value: "bytes",
        default: "48",
        sample: "32",
        row: "chunk_size",
        doc: "Accepted and shown; the smallest chunk is fixed here.",
        set: Set::Value(|settings, text| {
            settings.chunk_size = number(text, 1..=1 << 20)?;
            Ok(())
        }),
        effect: false,
    },
    Opt {
        short: Some('L'),
        long: "enable-largepages",
        doc: "Accepted; large pages are left to the kernel's transparent ones.",
        effect: false,
        ..OPT
    },
];

fn memory_limit(text: &str) -> Result<u64, Refusal> {
    // memcached takes what is no number for 0, and that is less than two of the largest items.
    let bytes = size(text, MIB).map_err(Refusal::into_usage)?;
    if bytes > MEMORY_LIMIT_MAX {
        return Err(Refusal::value(format!(
            "`{}` is too much: a plain number counts megabytes",
            text.trim()
        )));
    }
    Ok(bytes)
}

fn item_size_max(text: &str) -> Result<u32, Refusal> {
    let bytes = size(text, 1).map_err(Refusal::into_usage)?;
    if (KIB..=ITEM_SIZE_MAX).contains(&bytes) {
        return Ok(bytes as u32);
    }
    Err(Refusal::usage(format!(
        "`{}` is not from 1k to 1g: a plain number counts bytes",
        text.trim()
    )))
}

fn growth_factor(text: &str) -> Result<f64, Refusal> {
    let factor = decimal(text)?;
    if factor > 1.0 {
        return Ok(factor);
    }
    Err(Refusal::value(format!(
        "`{}` is not greater than 1",
        text.trim()
    )))
}
