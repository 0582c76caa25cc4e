//! The connections to Postgres: one listens, the other speaks. When one is lost both are made anew.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{join_all, maybe_done};
use socketio::cluster::wire::{MAX_BYTES, envelope};
use socketio::cluster::{AdapterError, ClusterHandle};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_postgres::error::{DbError, Severity};
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Notification, Socket, Statement};

use crate::channels::{Channels, quoted};
use crate::error::PostgresError::{Lost, NoAttachment};
use crate::message::{Written, attachment_id};
use crate::queue::Job;

/// How long Postgres may take to answer before it counts as lost.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How often it is asked whether it is there.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// How long a message that is attached is kept at least. Each server deletes older ones.
//= PGA-02
const ATTACHMENT_LIFETIME: Duration = Duration::from_secs(30);

/// How many rows are deleted at once.
const DELETE_BATCH: u64 = 1000;

/// How many commands go out at once.
const MAX_BATCH: usize = 256;

/// Between which times a lost connection is made anew, at random, so that servers do not all come at once.
//= PGA-03
const RECONNECT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3));

type Failure = Box<dyn Error + Send + Sync>;
type Connection = tokio_postgres::Connection<Socket, NoTlsStream>;

/// What the connections are made of, and for.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) config: Config,
    pub(crate) table: String,
    pub(crate) channels: watch::Sender<Channels>,
    pub(crate) server: ClusterHandle,
}

/// Keeps the connections, for as long as the server is there.
pub(crate) async fn keep(link: &Link, mut jobs: mpsc::Receiver<Job>) {
    loop {
        let Err(error) = link.run(&mut jobs).await;
        link.channels.send_modify(Channels::went_away);
        link.server.set_connected(false);
        link.server.report(AdapterError::bus(error));
        sleep(reconnect_delay()).await;
    }
}

fn reconnect_delay() -> Duration {
    let (least, most) = RECONNECT;
    // Without randomness all come at once.
    let part = getrandom::u32().map_or(0.0, |random| f64::from(random) / f64::from(u32::MAX));
    least + (most - least).mul_f64(part)
}

/// What Postgres answers, if it does in time.
async fn answered<T, E: Into<Failure>>(
    asking: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    let answer = timeout(ANSWER_TIMEOUT, asking).await.map_err(|_| Lost)?;
    answer.map_err(Into::into)
}

/// What was refused is told and goes by; what was not answered ends the session.
type Answer<T> = Result<Result<T, AdapterError>, Failure>;

async fn refusable<T>(asking: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Answer<T> {
    match timeout(ANSWER_TIMEOUT, asking).await.map_err(|_| Lost)? {
        Ok(answer) => Ok(Ok(answer)),
        Err(error) if is_refusal(&error) => Ok(Err(AdapterError::bus(error))),
        Err(error) => Err(error.into()),
    }
}

/// Whether Postgres said no, and not that it ends the connection.
fn is_refusal(error: &tokio_postgres::Error) -> bool {
    let severity = error.as_db_error().map(DbError::parsed_severity);
    matches!(severity, Some(Some(Severity::Error)))
}

impl Link {
    /// Connects, listens and speaks until a connection is lost.
    async fn run(&self, jobs: &mut mpsc::Receiver<Job>) -> Result<Infallible, Failure> {
        let (listening, incoming) = answered(self.config.connect(NoTls)).await?;
        let (speaking, outgoing) = answered(self.config.connect(NoTls)).await?;
        let drive = async {
            outgoing.await?;
            Err(Lost.into())
        };
        let work = async {
            let speaker = Speaker::new(speaking, &self.table).await?;
            self.channels.send_modify(Channels::came_back);
            tokio::try_join!(
                self.hear(incoming, &speaker),
                self.listen(&listening),
                self.speak(&speaker, jobs),
                self.tidy(&speaker),
                ping(&listening),
            )
        };
        // None of these ends but by an error.
        let ((never, ..), _): (_, Infallible) = tokio::try_join!(work, drive)?;
        Ok(never)
    }

    /// Hands over what is heard, one after the other: what is attached keeps its place.
    //= RDS-01
    async fn hear(
        &self,
        mut incoming: Connection,
        speaker: &Speaker,
    ) -> Result<Infallible, Failure> {
        while let Some(message) = poll_fn(|context| incoming.poll_message(context)).await {
            // Own ones come back.
            if let AsyncMessage::Notification(notification) = message?
                && notification.process_id() != speaker.process_id
            {
                self.deliver(&notification, speaker).await?;
            }
        }
        Err(Lost.into())
    }

    //= RDS-02
    async fn deliver(&self, notification: &Notification, speaker: &Speaker) -> Result<(), Failure> {
        let scope = self.channels.borrow().scope(notification.channel());
        let Some(scope) = scope else {
            return Ok(());
        };
        let decode = |payload: &[u8]| {
            envelope::decode_on_channel(payload, &scope).map_err(AdapterError::ignored)
        };
        let message = match attachment_id(notification.payload()) {
            None => decode(notification.payload().as_bytes()),
            Some(id) => match speaker.fetch(id).await? {
                Ok(Some(payload)) => decode(&payload),
                Ok(None) => Err(AdapterError::ignored(NoAttachment)),
                Err(refused) => Err(refused),
            },
        };
        match message {
            Ok(message) => self.server.deliver(message),
            Err(error) => self.server.report(error),
        }
        Ok(())
    }

    /// Brings Postgres to what is wanted.
    //= PGA-01
    async fn listen(&self, listening: &Client) -> Result<Infallible, Failure> {
        let mut wanted = self.channels.subscribe();
        loop {
            let mut steps = Vec::new();
            self.channels.send_if_modified(|channels| {
                steps = channels.take(MAX_BATCH);
                // Nobody waits for steps to be taken, but for what comes of them.
                false
            });
            let saying = steps.iter().map(|step| async move {
                let sql = step.sql();
                refusable(listening.batch_execute(&sql)).await
            });
            for (step, answer) in steps.iter().zip(join_all(saying).await) {
                let outcome = answer?;
                self.channels
                    .send_modify(|channels| channels.finish(step, outcome));
            }
            if self.channels.borrow().is_settled() {
                self.server.set_connected(true);
            }
            // Its sender is here.
            wanted.wait_for(Channels::has_changed).await?;
        }
    }

    /// Says what is in the queue, in its order.
    async fn speak(
        &self,
        speaker: &Speaker,
        jobs: &mut mpsc::Receiver<Job>,
    ) -> Result<Infallible, Failure> {
        let mut batch = Vec::new();
        while jobs.recv_many(&mut batch, MAX_BATCH).await > 0 {
            let saying = batch.drain(..).map(|job| maybe_done(speaker.say(job)));
            let mut saying: Vec<_> = saying.map(Box::pin).collect();
            // Each goes out when it is polled for the first time, so all are, in order, before one is waited for. `join_all` keeps that
            // order for few futures only.
            poll_fn(|context| {
                let polled = saying.iter_mut().map(|one| one.as_mut().poll(context));
                polled.for_each(drop);
                Poll::Ready(())
            })
            .await;
            for mut one in saying {
                one.as_mut().await;
                if let Some(Err(refused)) = one.as_mut().take_output().transpose()? {
                    self.server.report(refused);
                }
            }
        }
        // Nobody will say anything, and others may still be heard.
        std::future::pending().await
    }

    /// Deletes what was attached long ago.
    async fn tidy(&self, speaker: &Speaker) -> Result<Infallible, Failure> {
        loop {
            let deleted = refusable(speaker.client.execute(&speaker.delete, &[])).await?;
            if let Ok(DELETE_BATCH) = deleted {
                // There are more.
                continue;
            }
            if let Err(refused) = deleted {
                self.server.report(refused);
            }
            sleep(ATTACHMENT_LIFETIME).await;
        }
    }
}

/// A connection that is silently dead is noticed. The one that speaks has heartbeats to say.
async fn ping(client: &Client) -> Result<Infallible, Failure> {
    loop {
        sleep(PING_INTERVAL).await;
        answered(client.batch_execute("")).await?;
    }
}

/// The connection that speaks, and what it says.
struct Speaker {
    client: Client,
    process_id: i32,
    notify: Statement,
    attach: Statement,
    fetch: Statement,
    delete: Statement,
}

impl Speaker {
    async fn new(client: Client, table: &str) -> Result<Self, Failure> {
        create_table(&client, table).await?;
        let table = quoted(table);
        let prepare = async |sql: String| answered(client.prepare(&sql)).await;
        // One statement, so that the row is there when it is named.
        let attach = format!(
            "WITH attached AS (INSERT INTO {table} (payload) VALUES ($1) RETURNING id) \
             SELECT pg_notify($2, json_build_object('uid', $3::text, 'type', $4::int4, 'attachmentId', id::text)::text) \
             FROM attached"
        );
        // What is too large is not even fetched.
        let fetch = format!(
            "SELECT payload FROM {table} WHERE id = $1::int8 AND octet_length(payload) <= {MAX_BYTES}"
        );
        let delete = format!(
            "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} \
             WHERE created_at < now() - interval '{} seconds' LIMIT {DELETE_BATCH})",
            ATTACHMENT_LIFETIME.as_secs()
        );
        let pid = answered(client.query_one("SELECT pg_backend_pid()", &[])).await?;
        Ok(Self {
            process_id: pid.try_get(0)?,
            notify: prepare("SELECT pg_notify($1, $2)".into()).await?,
            attach: prepare(attach).await?,
            fetch: prepare(fetch).await?,
            delete: prepare(delete).await?,
            client,
        })
    }

    async fn say(&self, job: Job) -> Answer<()> {
        let channel = &job.channel;
        let said = async {
            match &job.written {
                Written::Text(text) => self.client.execute(&self.notify, &[channel, text]).await,
                Written::Attached { payload, uid, kind } => {
                    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
                        [payload, channel, uid, kind];
                    self.client.execute(&self.attach, &values).await
                }
            }
        };
        Ok(refusable(said).await?.map(drop))
    }

    async fn fetch(&self, id: i64) -> Answer<Option<Vec<u8>>> {
        let answer = refusable(self.client.query_opt(&self.fetch, &[&id])).await?;
        let payload = |row: tokio_postgres::Row| row.try_get(0).map_err(AdapterError::bus);
        Ok(answer.and_then(|row| row.map(payload).transpose()))
    }
}

/// Makes the table unless it is there: who may not make one has it made before, as for Node's adapter.
//= PGA-02
async fn create_table(client: &Client, table: &str) -> Result<(), Failure> {
    let table = quoted(table);
    let is_there = async || {
        let sql = "SELECT to_regclass($1) IS NOT NULL";
        let found = answered(client.query_one(sql, &[&table])).await?;
        Ok::<bool, Failure>(found.try_get(0)?)
    };
    if is_there().await? {
        return Ok(());
    }
    let sql = format!(
        "CREATE TABLE IF NOT EXISTS {table} \
         (id bigserial PRIMARY KEY, created_at timestamptz DEFAULT now(), payload bytea)"
    );
    let created = answered(client.batch_execute(&sql)).await;
    // Two servers that come at once make it at once, and one of them fails.
    if created.is_err() && is_there().await? {
        return Ok(());
    }
    created
}
