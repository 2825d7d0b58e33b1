//! A web application of which any number of instances share their users' sessions: log in at one, be known at the other.
//!
//! Run it, with as many instances as you like, on a pool:
//!
//! ```text
//! scripts/pool 3
//! cargo run --release -p larder-client --example web_sessions -- 127.0.0.1:8081 file:/tmp/larder-pool.…/nodes
//! cargo run --release -p larder-client --example web_sessions -- 127.0.0.1:8082 file:/tmp/larder-pool.…/nodes
//! curl -c jar -d Ada http://127.0.0.1:8081/login
//! curl -b jar http://127.0.0.1:8082/
//! ```

mod app;

use std::error::Error;
use std::time::Duration;

use larder_client::{Client, SessionStore};
use tokio::net::TcpListener;

/// A session that is not used for so long ends.
const SESSION_TTL: Duration = Duration::from_secs(30 * 60);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(address), Some(source)) = (args.next(), args.next()) else {
        return Err("usage: web_sessions ADDRESS SOURCE, as in 127.0.0.1:8081 file:/path".into());
    };
    let client = Client::builder().follow(source.parse()?).await?;
    let sessions = SessionStore::new(client, "session:", SESSION_TTL);
    let listener = TcpListener::bind(address).await?;
    println!("http://{}/", listener.local_addr()?);
    Ok(axum::serve(listener, app::app(sessions)).await?)
}
