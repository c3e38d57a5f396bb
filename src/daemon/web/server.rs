//! The listener: connections with limits on their number, their headers and their time.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::host;
use super::past::Past;
use super::reply::Reply;
use super::rounds::Rounds;
use super::site::{Asked, Site, Sources};
use crate::clock;

/// Connections at a time; further ones wait in the kernel's queue until one ends.
const CONNECTIONS_MAX: usize = 512;
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
        let thread = std::thread::Builder::new()
            .name("web".to_owned())
            .spawn(move || {
                step_back();
                let (past, rounds) = Past::begin(&sources, clock::now());
                let reading = read_on(rounds);
                let site = Rc::new(Site::new(sources, past));
                let tasks = tokio::task::LocalSet::new();
                let served = tasks.run_until(serve(listener, site, stopped));
                if let Err(error) = runtime.block_on(served) {
                    tracing::error!("web: failed to listen on {address}: {error}");
                }
                if let Some((stop, thread)) = reading {
                    drop(stop);
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

/// Reads the past on a thread of its own until the sender is dropped.
fn read_on(rounds: Rounds) -> Option<(mpsc::Sender<()>, JoinHandle<()>)> {
    let (stop, stopped) = mpsc::channel();
    let thread = std::thread::Builder::new()
        .name("web-past".to_owned())
        .spawn(move || {
            step_back();
            rounds.run(&stopped);
        });
    match thread {
        Ok(thread) => Some((stop, thread)),
        Err(error) => {
            tracing::error!(
                "web: no thread to read the past with, pages stay as they are: {error}"
            );
            None
        }
    }
}

async fn serve(
    listener: StdListener,
    site: Rc<Site>,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let places = Rc::new(Semaphore::new(CONNECTIONS_MAX));
    let whole = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
    loop {
        let place = Rc::clone(&places);
        let next = async {
            let free = place.acquire().await.map_err(io::Error::other)?;
            let (stream, _) = listener.accept().await?;
            free.forget();
            Ok::<_, io::Error>(stream)
        };
        let stream = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            stream = next => stream,
        };
        match stream {
            Ok(stream) => {
                let (site, stopped) = (Rc::clone(&site), stopped.clone());
                let places = Rc::clone(&places);
                tokio::task::spawn_local(async move {
                    let _place = Place(places);
                    connection(stream, site, stopped).await;
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
    let _ = tokio::time::timeout(STOP_TIME, places.acquire_many(whole)).await;
    Ok(())
}

/// Gives the place back, also when its task panics.
struct Place(Rc<Semaphore>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

async fn connection(stream: TcpStream, site: Rc<Site>, mut stopped: watch::Receiver<bool>) {
    let local = stream.local_addr().ok();
    let service = service_fn(move |request: Request<Incoming>| {
        let response = answer(&site, &request, local);
        async move { Ok::<_, Infallible>(response) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADER_FIELDS_MAX)
        .half_close(false)
        .serve_connection(TokioIo::new(stream), service);
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

fn answer(
    site: &Site,
    request: &Request<Incoming>,
    local: Option<SocketAddr>,
) -> Response<Full<Bytes>> {
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
    if !host::is_named_rightly(request.headers(), request.version() >= Version::HTTP_11) {
        let text = "A request names its host, once: send one valid Host header.\n";
        let mut reply = Reply::text(StatusCode::BAD_REQUEST, text);
        return reply.response(request.headers(), head_only);
    }
    let asked = Asked {
        path: request.uri().path(),
        query: request.uri().query().unwrap_or(""),
        headers: request.headers(),
        local,
        now: clock::now(),
        tick: clock::tick(),
    };
    site.answer(&asked, |reply| reply.response(request.headers(), head_only))
}
