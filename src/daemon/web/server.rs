//! The listener: connections with limits on their number, their headers and their time.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::body::{Bytes, Frame, Incoming, SizeHint};
use hyper::header::{ALLOW, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::answer_thread::{Desk, Question};
use super::connections::{Answering, Connections, Place, Seen};
use super::handler::Site;
use super::history_cache::Past;
use super::history_refresher::Rounds;
use super::reply::Reply;
use super::route::HEALTH_PATH;
use super::sources::Sources;
use super::{host_header, metrics};
use crate::clock;
use crate::daemon::health::counters::Health;

/// While every place is taken by a reader that reads, a further connection waits in the kernel's queue for this long.
const ROOM_REST: Duration = Duration::from_millis(20);
/// What the kernel keeps of an answer for one reader, in bytes.
const SEND_BUFFER: usize = 128 * 1024;
/// An answer is handed over in parts of this size, in bytes.
const PART_BYTES: usize = 64 * 1024;
/// A header, or the next request on a connection that is kept, must be there after this.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// All of a header; browsers send one or two kilobytes.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Fields of a header.
const HEADER_FIELDS_MAX: usize = 64;
/// After this a connection is told to end, so that nobody keeps a place for ever ..
const CONNECTION_TIME: Duration = Duration::from_secs(60);
/// .. and after this more it is cut, whatever the reader still takes in.
const LAST_ANSWER_TIME: Duration = Duration::from_secs(60);
/// How long answers on their way may take when the daemon stops.
const STOP_TIME: Duration = Duration::from_secs(1);
/// A listener that fails (no descriptors left) is asked again after this.
const ACCEPT_REST: Duration = Duration::from_millis(200);
/// How much less the thread counts than those that check, for the kernel's scheduler.
const NICENESS: i32 = 10;

/// The running server.
#[derive(Debug)]
pub struct WebServer {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl WebServer {
    /// Listens and serves on a thread of its own.
    ///
    /// # Errors
    /// The address is in use or not ours, or there is no thread to be had.
    pub fn start(listen: SocketAddr, sources: Sources) -> io::Result<Self> {
        let listener = StdListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = watch::channel(false);
        let (reading, others, server) = with_threads(sources)?;
        let thread = std::thread::Builder::new()
            .name("web".to_owned())
            .spawn(move || {
                step_back();
                let tasks = tokio::task::LocalSet::new();
                let served = tasks.run_until(serve(listener, Rc::new(server), stopped));
                if let Err(error) = runtime.block_on(served) {
                    tracing::error!("web: failed to listen on {address}: {error}");
                }
                // With them the last desk goes, and its thread ends.
                drop(tasks);
                drop(reading);
                for thread in others {
                    // A panic in it was logged where it happened.
                    let _ = thread.join();
                }
            })?;
        Ok(Self {
            address,
            stop,
            thread: Some(thread),
        })
    }

    /// Where it listens, the port filled in.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets answers on their way finish, for a second at most, and ends the thread.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("web: the server's thread had panicked");
        }
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.end();
    }
}

/// Whatever readers cost, the threads that check come first. On Linux a thread has a niceness of its own.
fn step_back() {
    let thread = rustix::thread::gettid();
    if let Err(error) = rustix::process::setpriority_process(Some(thread), NICENESS) {
        tracing::debug!("web: the thread keeps its priority: {error}");
    }
}

/// Reads the past and makes pages, each on a thread of its own; the first ends with the sender.
fn with_threads(sources: Sources) -> io::Result<(mpsc::Sender<()>, Vec<JoinHandle<()>>, Server)> {
    let health = Arc::clone(&sources.health);
    let (stop, stopped) = mpsc::channel();
    let (begun, rounds) = mpsc::channel::<Rounds>();
    let (desk, making) = Desk::start(move || {
        step_back();
        let (past, rounds) = Past::begin(&sources, clock::now());
        // Its thread may not have come to be; then the server does not either.
        let _ = begun.send(rounds);
        Site::new(sources, past)
    })?;
    let reading = std::thread::Builder::new()
        .name("web-past".to_owned())
        .spawn(move || {
            step_back();
            if let Ok(rounds) = rounds.recv() {
                rounds.run(&stopped);
            }
        })?;
    Ok((stop, vec![making, reading], Server { desk, health }))
}

async fn serve(
    listener: StdListener,
    server: Rc<Server>,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let connections = Connections::default();
    loop {
        let next = async {
            while !connections.make_room(clock::tick()) {
                tokio::time::sleep(ROOM_REST).await;
            }
            listener.accept().await
        };
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            accepted = next => accepted,
        };
        match accepted {
            Ok((stream, from)) => {
                let (server, stopped) = (Rc::clone(&server), stopped.clone());
                let (place, ended) = connections.enter(from.ip(), clock::tick());
                tokio::task::spawn_local(async move {
                    tokio::select! {
                        () = connection(stream, place, server, stopped) => {}
                        // The place is needed for another.
                        _ = ended => {}
                    }
                });
            }
            Err(error) => {
                tracing::warn!("web: failed to accept a connection: {error}");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
    drop(listener);
    // All places free: the last answer has left.
    let all_gone = async {
        while connections.len() > 0 {
            tokio::time::sleep(ROOM_REST).await;
        }
    };
    let _ = tokio::time::timeout(STOP_TIME, all_gone).await;
    Ok(())
}

async fn connection(
    stream: TcpStream,
    place: Rc<Place>,
    server: Rc<Server>,
    mut stopped: watch::Receiver<bool>,
) {
    let local = stream.local_addr().ok();
    // What waits in the kernel for readers that do not read is memory as well.
    if let Err(error) = rustix::net::sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER) {
        tracing::debug!("web: a connection keeps its send buffer: {error}");
    }
    let seen = Seen::new(stream, Rc::clone(&place));
    let service = service_fn(move |request: Request<Incoming>| {
        let (server, answering) = (Rc::clone(&server), place.answer());
        async move {
            let response = server.answer(request, local).await;
            Ok::<_, Infallible>(response.map(|bytes| Body::new(bytes, answering)))
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADER_FIELDS_MAX)
        .half_close(false)
        .serve_connection(TokioIo::new(seen), service);
    tokio::pin!(served);
    // What goes wrong on a connection is the reader's affair.
    tokio::select! {
        _ = &mut served => return,
        () = tokio::time::sleep(CONNECTION_TIME) => {}
        _ = stopped.wait_for(|stop| *stop) => {}
    }
    served.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(LAST_ANSWER_TIME, served).await;
}

/// An answer on its way.
struct Body {
    bytes: Bytes,
    /// Says when it is gone.
    _answering: Answering,
}

impl Body {
    const fn new(bytes: Bytes, answering: Answering) -> Self {
        Self {
            bytes,
            _answering: answering,
        }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        // In parts, so that the answer counts as under way until its last part is.
        let part = self.bytes.len().min(PART_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.bytes.split_to(part)))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

/// What the connections know.
struct Server {
    desk: Desk,
    health: Arc<Health>,
}

impl Server {
    async fn answer(
        &self,
        request: Request<Incoming>,
        local: Option<SocketAddr>,
    ) -> Response<Bytes> {
        let head_only = match *request.method() {
            Method::GET => false,
            Method::HEAD => true,
            _ => {
                let text = "Only GET and HEAD are answered here.\n";
                let mut reply = Reply::text(StatusCode::METHOD_NOT_ALLOWED, text);
                let mut response = reply.response(request.headers(), false);
                let allowed = HeaderValue::from_static("GET, HEAD");
                response.headers_mut().insert(ALLOW, allowed);
                return response;
            }
        };
        if !host_header::is_named_rightly(request.headers(), request.version() >= Version::HTTP_11)
        {
            let text = "A request names its host, once: send one valid Host header.\n";
            let mut reply = Reply::text(StatusCode::BAD_REQUEST, text);
            return reply.response(request.headers(), head_only);
        }
        // Whether we live is answered also while a page is being made.
        if request.uri().path() == HEALTH_PATH {
            let mut reply = metrics::health(&self.health);
            return reply.response(request.headers(), head_only);
        }
        let (parts, _) = request.into_parts();
        let question = Question {
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or("").to_owned(),
            headers: parts.headers,
            head_only,
            local,
        };
        self.desk.answer(question).await
    }
}
