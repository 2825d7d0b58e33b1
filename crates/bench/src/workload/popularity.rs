//! Which keys are asked for how often: all the same, or few of them most of the time.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, bail};

use super::random::Random;

/// How popularity is spread over the keys, as the user writes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Popularity {
    /// `uniform`: every key as often as every other.
    Uniform,
    /// `zipf:0.99`: the key of rank r is asked for in proportion to 1 / r^theta.
    Zipf(f64),
}

impl FromStr for Popularity {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            None if text == "uniform" => Ok(Self::Uniform),
            Some(("zipf", theta)) => {
                let theta: f64 = theta
                    .parse()
                    .with_context(|| format!("{theta:?} is not a number"))?;
                if !(theta > 0.0 && theta <= 10.0) {
                    bail!("zipf's theta is above 0 and at most 10");
                }
                Ok(Self::Zipf(theta))
            }
            _ => bail!("popularity is uniform or zipf:THETA, for example zipf:0.99"),
        }
    }
}

impl fmt::Display for Popularity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => write!(f, "uniform"),
            Self::Zipf(theta) => write!(f, "zipf:{theta}"),
        }
    }
}

/// Draws ranks 1..=n with P(r) ∝ 1 / r^theta by rejection inversion (Hörmann and Derflinger, 1996): no tables, so a
/// hundred million keys cost nothing to set up, and any theta above 0 will do.
#[derive(Clone)]
pub(crate) struct Zipf {
    theta: f64,
    count: f64,
    /// H(1.5) - 1, where the draw begins.
    low: f64,
    /// H(n + 0.5), where it ends.
    high: f64,
    /// A draw this near to its rank needs no second test.
    near: f64,
}

impl Zipf {
    pub(crate) fn new(count: u64, theta: f64) -> Self {
        let count = count as f64;
        let near = 2.0 - inverse(integral(2.5, theta) - 2f64.powf(-theta), theta);
        Self {
            theta,
            count,
            low: integral(1.5, theta) - 1.0,
            high: integral(count + 0.5, theta),
            near,
        }
    }

    /// An id from 0, the most popular, to n - 1.
    pub(crate) fn draw(&self, random: &mut Random) -> u64 {
        loop {
            let u = self.high + random.unit() * (self.low - self.high);
            let x = inverse(u, self.theta);
            let rank = x.round().clamp(1.0, self.count);
            if rank - x <= self.near
                || u >= integral(rank + 0.5, self.theta) - rank.powf(-self.theta)
            {
                return rank as u64 - 1;
            }
        }
    }
}

/// H(x), the integral of 1 / x^theta from 1.
fn integral(x: f64, theta: f64) -> f64 {
    let log = x.ln();
    let t = (1.0 - theta) * log;
    if t.abs() < 1e-8 {
        log * (1.0 + t / 2.0)
    } else {
        log * t.exp_m1() / t
    }
}

/// The x whose H(x) is `h`.
fn inverse(h: f64, theta: f64) -> f64 {
    let t = (h * (1.0 - theta)).max(-1.0);
    if t.abs() < 1e-8 {
        (h * (1.0 - t / 2.0)).exp()
    } else {
        (h * t.ln_1p() / t).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints() {
        for text in ["uniform", "zipf:0.99", "zipf:1"] {
            assert_eq!(text.parse::<Popularity>().unwrap().to_string(), text);
        }
        for wrong in ["zipf", "zipf:0", "zipf:x", "hot"] {
            assert!(
                wrong.parse::<Popularity>().is_err(),
                "{wrong} should be refused"
            );
        }
    }

    /// The share of the first ranks against the exact one, for theta below, at and above 1.
    #[test]
    fn ranks_come_as_often_as_they_should() {
        const COUNT: u64 = 1000;
        const DRAWS: u64 = 200_000;
        for theta in [0.5, 0.99, 1.0, 1.4] {
            let zipf = Zipf::new(COUNT, theta);
            let mut random = Random::new(7);
            let mut seen = vec![0u64; COUNT as usize];
            for _ in 0..DRAWS {
                seen[zipf.draw(&mut random) as usize] += 1;
            }
            let total: f64 = (1..=COUNT).map(|rank| (rank as f64).powf(-theta)).sum();
            for rank in [1u64, 2, 3, 10] {
                let expected = (rank as f64).powf(-theta) / total * DRAWS as f64;
                let found = seen[rank as usize - 1] as f64;
                assert!(
                    (found - expected).abs() < 5.0 * expected.sqrt() + 1.0,
                    "theta {theta} rank {rank}: {found} for {expected}"
                );
            }
            assert!(seen[COUNT as usize - 1] < DRAWS / COUNT);
        }
    }
}
