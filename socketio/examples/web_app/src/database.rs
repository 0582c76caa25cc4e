//! People, sessions and notes. The clock of sessions is the database's.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;

/// How many notes of one person are kept; the oldest go.
const NOTES_MAX: u32 = 100;

const TABLES: &str = "
    PRAGMA journal_mode = wal;
    PRAGMA foreign_keys = on;
    CREATE TABLE IF NOT EXISTS users (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        password TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS sessions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        token TEXT NOT NULL UNIQUE,
        user INTEGER NOT NULL REFERENCES users,
        expires_at INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS notes (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        user INTEGER NOT NULL REFERENCES users,
        text TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS notes_of_user ON notes (user);
";

/// Somebody who has an account; the data of a socket as well.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) id: i64,
    pub(crate) name: String,
}

/// What a login has begun.
pub(crate) struct Session {
    /// Its number, which is no secret, as the token is.
    pub(crate) id: i64,
    pub(crate) user: User,
    pub(crate) expires_at: SystemTime,
}

#[derive(Clone, Serialize)]
pub(crate) struct Note {
    pub(crate) id: i64,
    pub(crate) text: String,
}

/// Why the database gave no answer; for the log, not for clients.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A handle to the database, cheap to clone. One connection is plenty for an example; a pool has the same methods.
#[derive(Clone)]
pub(crate) struct Database(Arc<Mutex<Connection>>);

impl Database {
    pub(crate) async fn open(path: impl Into<PathBuf>) -> Result<Self, Failure> {
        let path = path.into();
        let opened = tokio::task::spawn_blocking(|| Connection::open(path)).await??;
        let database = Self(Arc::new(Mutex::new(opened)));
        database
            .run(|connection| connection.execute_batch(TABLES))
            .await?;
        Ok(database)
    }

    /// Works on a thread where nobody waits for the disk.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let connection = Arc::clone(&self.0);
        let work = move || work(&connection.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(tokio::task::spawn_blocking(work).await??)
    }

    /// A new account; nothing where the name is taken.
    pub(crate) async fn add_user(
        &self,
        name: String,
        password: String,
    ) -> Result<Option<User>, Failure> {
        self.run(move |connection| {
            let sql = "INSERT INTO users (name, password) VALUES (?1, ?2) ON CONFLICT DO NOTHING RETURNING id";
            let id = connection.query_row(sql, params![name, password], |row| row.get(0)).optional()?;
            Ok(id.map(|id| User { id, name }))
        })
        .await
    }

    /// Who is called so, and the hash of the password.
    pub(crate) async fn user(&self, name: String) -> Result<Option<(User, String)>, Failure> {
        self.run(move |connection| {
            let sql = "SELECT id, password FROM users WHERE name = ?1";
            let found = |row: &Row<'_>| {
                let user = User {
                    id: row.get(0)?,
                    name: name.clone(),
                };
                Ok((user, row.get(1)?))
            };
            connection.query_row(sql, params![name], found).optional()
        })
        .await
    }

    pub(crate) async fn begin_session(
        &self,
        user: i64,
        token: String,
        seconds: u32,
    ) -> Result<(), Failure> {
        self.run(move |connection| {
            connection.execute("DELETE FROM sessions WHERE expires_at <= unixepoch()", [])?;
            let sql =
                "INSERT INTO sessions (token, user, expires_at) VALUES (?1, ?2, unixepoch() + ?3)";
            connection.execute(sql, params![token, user, seconds])?;
            Ok(())
        })
        .await
    }

    /// The session of a token, unless it is over.
    pub(crate) async fn session(&self, token: String) -> Result<Option<Session>, Failure> {
        self.run(move |connection| {
            let sql = "SELECT sessions.id, expires_at, users.id, name
                FROM sessions JOIN users ON users.id = sessions.user
                WHERE token = ?1 AND expires_at > unixepoch()";
            let found = |row: &Row<'_>| {
                Ok(Session {
                    id: row.get(0)?,
                    expires_at: UNIX_EPOCH + Duration::from_secs(row.get::<_, u32>(1)?.into()),
                    user: User {
                        id: row.get(2)?,
                        name: row.get(3)?,
                    },
                })
            };
            connection.query_row(sql, params![token], found).optional()
        })
        .await
    }

    pub(crate) async fn end_session(&self, id: i64) -> Result<(), Failure> {
        self.run(move |connection| {
            connection.execute("DELETE FROM sessions WHERE id = ?1", params![id])?;
            Ok(())
        })
        .await
    }

    pub(crate) async fn add_note(&self, user: i64, text: String) -> Result<Note, Failure> {
        self.run(move |connection| {
            let sql = "INSERT INTO notes (user, text) VALUES (?1, ?2)";
            connection.execute(sql, params![user, text])?;
            let id = connection.last_insert_rowid();
            let sql = "DELETE FROM notes WHERE user = ?1 AND id NOT IN
                (SELECT id FROM notes WHERE user = ?1 ORDER BY id DESC LIMIT ?2)";
            connection.execute(sql, params![user, NOTES_MAX])?;
            Ok(Note { id, text })
        })
        .await
    }

    /// All notes of somebody, in order.
    pub(crate) async fn notes(&self, user: i64) -> Result<Vec<Note>, Failure> {
        self.run(move |connection| {
            let mut query =
                connection.prepare("SELECT id, text FROM notes WHERE user = ?1 ORDER BY id")?;
            let note = |row: &Row<'_>| {
                Ok(Note {
                    id: row.get(0)?,
                    text: row.get(1)?,
                })
            };
            query.query_map(params![user], note)?.collect()
        })
        .await
    }
}
