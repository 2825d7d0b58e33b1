//! Many customers at once: some products are asked for far more than others, and now and then one gets another name.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::database::{Failure, PRODUCTS};
use super::shop::Shop;

/// Customers who ask at the same time.
const CUSTOMERS: i64 = 20;
/// What each of them asks for, one thing after another.
const READS_EACH: u64 = 1000;
/// Each changes a name after so many reads.
const READS_PER_WRITE: u64 = 50;

/// All reads, and all writes.
pub(crate) const READS: u64 = CUSTOMERS as u64 * READS_EACH;
pub(crate) const WRITES: u64 = READS / READS_PER_WRITE;

/// What it was for the database.
pub(crate) struct Outcome {
    pub(crate) queries: u64,
    pub(crate) elapsed: Duration,
}

/// Lets all of them loose.
pub(crate) async fn run(shop: &Arc<Shop>) -> Result<Outcome, Failure> {
    let (before, begun) = (shop.database.queries(), Instant::now());
    let mut customers = JoinSet::new();
    for number in 0..CUSTOMERS {
        customers.spawn(customer(Arc::clone(shop), number));
    }
    for done in customers.join_all().await {
        done?;
    }
    Ok(Outcome {
        queries: shop.database.queries() - before,
        elapsed: begun.elapsed(),
    })
}

async fn customer(shop: Arc<Shop>, number: i64) -> Result<(), Failure> {
    for read in 1..=READS_EACH {
        shop.product(popular()).await?;
        if read % READS_PER_WRITE == 0 {
            // Each has products of his own to change: no two write the same one at the same time.
            let id = popular();
            let id = id - id % CUSTOMERS + number + 1;
            let name = format!("product {id}, version {read}");
            shop.rename(id, &name).await?;
        }
    }
    Ok(())
}

/// A product, the first ones far more often than the last.
fn popular() -> i64 {
    (PRODUCTS as f64).powf(fastrand::f64()) as i64
}
