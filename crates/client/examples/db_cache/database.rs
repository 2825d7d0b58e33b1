//! The database: SQLite, embedded, or a PostgreSQL server. It counts what it is asked.

use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension};
use tokio::task::spawn_blocking;
use tokio_postgres::{NoTls, Statement};

/// What either database says when it fails.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// So many products there are, from number 1 on.
pub(crate) const PRODUCTS: i64 = 1000;

const SELECT: &str = "SELECT name FROM db_cache_product WHERE id = $1";
// SQLite counts parameters as they come, whatever their names are.
const UPDATE: &str = "UPDATE db_cache_product SET name = $1 WHERE id = $2";

pub(crate) struct Database {
    engine: Engine,
    queries: AtomicU64,
}

enum Engine {
    Sqlite(Arc<Mutex<Connection>>),
    Postgres {
        client: tokio_postgres::Client,
        select: Statement,
        update: Statement,
    },
}

impl Database {
    /// An SQLite database in a file, which is made if it is not there; its products are as at first.
    pub(crate) fn sqlite(path: &Path) -> Result<Self, Failure> {
        let connection = Connection::open(path)?;
        connection.execute_batch(&products())?;
        Ok(Self::new(Engine::Sqlite(Arc::new(Mutex::new(connection)))))
    }

    /// A PostgreSQL server by its connection string, as in `host=/run/postgresql user=shop`; its products are as at first.
    pub(crate) async fn postgres(connection: &str) -> Result<Self, Failure> {
        let (client, connection) = tokio_postgres::connect(connection, NoTls).await?;
        // It ends with the client. What went wrong on it, the client's calls say as well.
        tokio::spawn(connection);
        client.batch_execute(&products()).await?;
        Ok(Self::new(Engine::Postgres {
            select: client.prepare(SELECT).await?,
            update: client.prepare(UPDATE).await?,
            client,
        }))
    }

    fn new(engine: Engine) -> Self {
        Self {
            engine,
            queries: AtomicU64::new(0),
        }
    }

    /// How many queries it had so far.
    pub(crate) fn queries(&self) -> u64 {
        self.queries.load(Ordering::Relaxed)
    }

    /// What the product is called; `None` if there is none of this number.
    pub(crate) async fn product(&self, id: i64) -> Result<Option<String>, Failure> {
        self.queries.fetch_add(1, Ordering::Relaxed);
        match &self.engine {
            Engine::Sqlite(connection) => {
                let ask = move |connection: &Connection| {
                    let mut statement = connection.prepare_cached(SELECT)?;
                    statement.query_row([id], |row| row.get(0)).optional()
                };
                blocking(connection, ask).await
            }
            Engine::Postgres { client, select, .. } => {
                let row = client.query_opt(select, &[&id]).await?;
                Ok(row.map(|row| row.try_get(0)).transpose()?)
            }
        }
    }

    /// Calls the product something else.
    pub(crate) async fn rename(&self, id: i64, name: &str) -> Result<(), Failure> {
        self.queries.fetch_add(1, Ordering::Relaxed);
        let rows = match &self.engine {
            Engine::Sqlite(connection) => {
                let name = name.to_owned();
                let change = move |connection: &Connection| {
                    let mut statement = connection.prepare_cached(UPDATE)?;
                    statement.execute((name, id))
                };
                blocking(connection, change).await? as u64
            }
            Engine::Postgres { client, update, .. } => {
                client.execute(update, &[&name, &id]).await?
            }
        };
        match rows {
            1 => Ok(()),
            _ => Err(format!("there is no product {id}").into()),
        }
    }
}

/// SQLite works on the thread that asks it: on one that may wait.
async fn blocking<T: Send + 'static>(
    connection: &Arc<Mutex<Connection>>,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let connection = Arc::clone(connection);
    let work = move || work(&connection.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(spawn_blocking(work).await??)
}

/// Makes the table as it is at first. Both databases understand it.
fn products() -> String {
    format!(
        "DROP TABLE IF EXISTS db_cache_product;
         CREATE TABLE db_cache_product (id BIGINT PRIMARY KEY, name TEXT NOT NULL);
         WITH RECURSIVE number(id) AS (
             SELECT CAST(1 AS BIGINT) UNION ALL SELECT id + 1 FROM number WHERE id < {PRODUCTS}
         )
         INSERT INTO db_cache_product SELECT id, 'product ' || id FROM number;"
    )
}
