//! The thread that makes answers: however long a page takes, the thread of the connections stays free.

use std::io;
use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread::JoinHandle;

use hyper::body::Bytes;
use hyper::header::HeaderMap;
use hyper::{Response, StatusCode};
use tokio::sync::oneshot;

use super::handler::{Asked, Site};
use super::reply::Reply;
use crate::clock;

/// Questions that wait; beyond it a reader is asked to come back. Most are the same and cost nothing.
const WAITING_MAX: usize = 256;

/// One request, without the wire.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) head_only: bool,
    /// The address it came to.
    pub(super) local: Option<SocketAddr>,
}

type Waiting = (Question, oneshot::Sender<Response<Bytes>>);

/// Hands questions to the thread.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    questions: mpsc::Sender<Waiting>,
    waiting: Arc<AtomicUsize>,
}

impl Desk {
    /// Starts the thread; `site` is made on it. It ends with the last desk.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(
        site: impl FnOnce() -> Site + Send + 'static,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let (questions, asked) = mpsc::channel::<Waiting>();
        let waiting = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&waiting);
        let thread = std::thread::Builder::new()
            .name("web-pages".to_owned())
            .spawn(move || {
                let site = site();
                for (question, reply) in asked {
                    count.fetch_sub(1, Relaxed);
                    // A caller that has gone needs no answer.
                    if !reply.is_closed() {
                        let _ = reply.send(made(&site, &question));
                    }
                }
            })?;
        Ok((Self { questions, waiting }, thread))
    }

    /// The answer, when it is made.
    pub(super) async fn answer(&self, question: Question) -> Response<Bytes> {
        let headers = question.headers.clone();
        if self.waiting.load(Relaxed) >= WAITING_MAX {
            return Reply::later().response(&headers, false);
        }
        let (reply, answer) = oneshot::channel();
        self.waiting.fetch_add(1, Relaxed);
        if self.questions.send((question, reply)).is_err() {
            return broken(&headers);
        }
        answer.await.unwrap_or_else(|_| broken(&headers))
    }
}

fn made(site: &Site, question: &Question) -> Response<Bytes> {
    let asked = Asked {
        path: &question.path,
        query: &question.query,
        headers: &question.headers,
        local: question.local,
        now: clock::now(),
        tick: clock::tick(),
    };
    let give = |reply: &mut Reply| reply.response(&question.headers, question.head_only);
    // One page that breaks is not the end of all.
    panic::catch_unwind(AssertUnwindSafe(|| site.answer(&asked, give)))
        .unwrap_or_else(|_| broken(&question.headers))
}

fn broken(headers: &HeaderMap) -> Response<Bytes> {
    let text = "This page cannot be made; the log says why.\n";
    Reply::text(StatusCode::INTERNAL_SERVER_ERROR, text).response(headers, false)
}
