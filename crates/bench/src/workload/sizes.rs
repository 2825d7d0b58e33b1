//! How long values are: a distribution as the user writes it, and the length it gives to an id.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, bail};

use super::normal::quantile;
use super::random::splitmix64;

/// A distribution of value lengths. The same id always gets the same length, so a reader knows what to expect.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ValueSizes {
    /// `fixed:64`
    Fixed(usize),
    /// `uniform:10-1000`, both ends included.
    Uniform { min: usize, max: usize },
    /// `lognormal:230,1.2`, clamped to `min..=max`.
    LogNormal {
        median: f64,
        sigma: f64,
        min: usize,
        max: usize,
    },
}

/// Longest value we make: below the 1 MiB that servers take by default, with room for key and header.
const LENGTH_MAX: usize = 1_000_000;

impl ValueSizes {
    /// The rule for the traces, which carry no sizes: the 230-byte median of the Twitter study (Yang et al., OSDI 2020).
    pub(crate) fn of_traces() -> Self {
        Self::LogNormal {
            median: 230.0,
            sigma: 1.2,
            min: 8,
            max: 60_000,
        }
    }

    /// The length of the value of `id`.
    pub(crate) fn length(&self, id: u64) -> usize {
        match *self {
            Self::Fixed(length) => length,
            Self::Uniform { min, max } => {
                let span = (max - min + 1) as u128;
                min + ((u128::from(splitmix64(id)) * span) >> 64) as usize
            }
            Self::LogNormal {
                median,
                sigma,
                min,
                max,
            } => {
                let x = splitmix64(id) as f64 / 2f64.powi(64);
                let length = (median * (sigma * quantile(x)).exp()).round();
                length.clamp(min as f64, max as f64) as usize
            }
        }
    }

    /// The length when all values have the same.
    pub(crate) fn fixed(&self) -> Option<usize> {
        match *self {
            Self::Fixed(length) => Some(length),
            _ => None,
        }
    }
}

impl FromStr for ValueSizes {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (kind, rest) = text.split_once(':').unwrap_or(("fixed", text));
        match kind {
            "fixed" => Ok(Self::Fixed(length(rest)?)),
            "uniform" => {
                let (min, max) = rest
                    .split_once('-')
                    .context("a uniform size is written uniform:MIN-MAX")?;
                let (min, max) = (length(min)?, length(max)?);
                if min > max {
                    bail!("the smallest size, {min}, is above the largest, {max}");
                }
                Ok(Self::Uniform { min, max })
            }
            "lognormal" => log_normal(rest),
            _ => bail!("a size is fixed:N, uniform:MIN-MAX or lognormal:MEDIAN,SIGMA"),
        }
    }
}

fn log_normal(text: &str) -> Result<ValueSizes> {
    let parts: Vec<&str> = text.split(',').collect();
    let (min, max) = match parts[..] {
        [_, _] => (1, LENGTH_MAX),
        [_, _, min, max] => (length(min)?, length(max)?),
        _ => bail!(
            "a log-normal size is written lognormal:MEDIAN,SIGMA or lognormal:MEDIAN,SIGMA,MIN,MAX"
        ),
    };
    let number = |text: &str| {
        text.parse::<f64>()
            .with_context(|| format!("{text:?} is not a number"))
    };
    let (median, sigma) = (number(parts[0])?, number(parts[1])?);
    if !(median > 0.0 && sigma >= 0.0 && min <= max) {
        bail!(
            "a log-normal size needs a median above 0, a sigma of at least 0, and a smallest size that is not above the largest"
        );
    }
    Ok(ValueSizes::LogNormal {
        median,
        sigma,
        min,
        max,
    })
}

fn length(text: &str) -> Result<usize> {
    let length: usize = text
        .parse()
        .with_context(|| format!("{text:?} is not a number of bytes"))?;
    if length > LENGTH_MAX {
        bail!("values are at most {LENGTH_MAX} bytes long here");
    }
    Ok(length)
}

impl fmt::Display for ValueSizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(length) => write!(f, "fixed:{length}"),
            Self::Uniform { min, max } => write!(f, "uniform:{min}-{max}"),
            Self::LogNormal {
                median,
                sigma,
                min,
                max,
            } => write!(f, "lognormal:{median},{sigma},{min},{max}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints() {
        for text in ["fixed:64", "uniform:10-1000", "lognormal:230,1.2,8,60000"] {
            assert_eq!(text.parse::<ValueSizes>().unwrap().to_string(), text);
        }
        assert_eq!("64".parse::<ValueSizes>().unwrap(), ValueSizes::Fixed(64));
        for wrong in [
            "fixed:",
            "uniform:9-3",
            "uniform:5",
            "lognormal:1",
            "lognormal:0,1",
            "normal:3",
            "fixed:1000001",
        ] {
            assert!(
                wrong.parse::<ValueSizes>().is_err(),
                "{wrong} should be refused"
            );
        }
    }

    #[test]
    fn uniform_stays_within_and_covers() {
        let sizes = ValueSizes::Uniform { min: 3, max: 6 };
        let seen: std::collections::BTreeSet<usize> = (0..200).map(|id| sizes.length(id)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [3, 4, 5, 6]);
    }

    /// Computed with Python: statistics.NormalDist().inv_cdf and the rule of the traces.
    #[test]
    fn trace_rule_gives_known_lengths() {
        let sizes = ValueSizes::of_traces();
        for (id, expected) in TRACE_LENGTHS {
            assert_eq!(sizes.length(id), expected, "id {id}");
        }
    }

    const TRACE_LENGTHS: [(u64, usize); 8] = [
        (0, 961),
        (1, 281),
        (2, 303),
        (42, 501),
        (4093, 144),
        (76348, 621),
        (123456789, 61),
        (1099511627783, 469),
    ];

    #[test]
    fn trace_rule_has_the_median_it_names() {
        let sizes = ValueSizes::of_traces();
        let mut lengths: Vec<usize> = (0..20_000).map(|id| sizes.length(id)).collect();
        lengths.sort_unstable();
        assert!(
            (225..=235).contains(&lengths[10_000]),
            "median {}",
            lengths[10_000]
        );
    }
}
