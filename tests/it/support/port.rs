//! A port that follows a script, for monitors that are not of HTTP, and a check of it as the daemon makes it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use sitewatch::clock;
use sitewatch::config::{self, Environment};
use sitewatch::daemon::checks::addresses::{Eyes, look};
use sitewatch::daemon::checks::judging::Judges;
use sitewatch::domain::check::Check;
use sitewatch::domain::evidence::Keep;
use sitewatch::domain::monitor::Monitor;
use sitewatch::probe::Prober;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What the port does next.
#[derive(Debug, Clone)]
pub enum Step {
    /// Sends bytes.
    Say(Vec<u8>),
    /// Waits until so many bytes came.
    Hear(usize),
    /// Waits until what came ends with these bytes.
    Until(&'static [u8]),
    /// Does nothing for a while.
    Wait(Duration),
    /// Begins TLS.
    Tls,
    /// Keeps the connection open and silent.
    Hang,
    /// Ends the connection with a reset.
    Reset,
}

/// Says a text.
pub fn say(text: &str) -> Step {
    Step::Say(text.as_bytes().to_vec())
}

/// A listener on loopback; it ends when it is dropped.
pub struct Port {
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
    serving: JoinHandle<()>,
}

impl Drop for Port {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Port {
    /// Each connection goes through the script; at its end it is closed in order.
    pub async fn new(script: Vec<Step>) -> Self {
        Self::with_tls(script, None).await
    }

    /// The same with what it shows at [`Step::Tls`].
    pub async fn with_tls(script: Vec<Step>, tls: Option<ServerConfig>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port on loopback");
        Self::listening(listener, script, tls)
    }

    /// The same at a socket of the caller's.
    pub fn listening(listener: TcpListener, script: Vec<Step>, tls: Option<ServerConfig>) -> Self {
        let address = listener.local_addr().expect("a bound socket");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let hears = Arc::clone(&heard);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, tls, hears) = (script.clone(), tls.clone(), Arc::clone(&hears));
                tokio::spawn(async move { serve(stream, &script, tls, &hears).await });
            }
        });
        Self {
            address,
            heard,
            serving,
        }
    }

    /// What clients said.
    pub fn heard(&self) -> Vec<u8> {
        self.heard.lock().expect("no panic while locked").clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    script: &[Step],
    tls: Option<TlsAcceptor>,
    heard: &Mutex<Vec<u8>>,
) {
    let at = script.iter().position(|step| matches!(step, Step::Tls));
    let (plain, over_tls) = script.split_at(at.unwrap_or(script.len()));
    if !follow(&mut stream, plain, heard).await {
        let _ = stream.set_zero_linger();
        return;
    }
    if let (Some(tls), [_, rest @ ..]) = (tls, over_tls) {
        let Ok(mut stream) = tls.accept(stream).await else {
            return;
        };
        if follow(&mut stream, rest, heard).await {
            let _ = stream.shutdown().await;
        } else {
            let _ = stream.get_ref().0.set_zero_linger();
        }
    }
}

/// False if it ends with a reset.
async fn follow(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    script: &[Step],
    heard: &Mutex<Vec<u8>>,
) -> bool {
    for step in script {
        match step {
            Step::Say(bytes) => {
                if stream.write_all(bytes).await.is_err() || stream.flush().await.is_err() {
                    return true;
                }
            }
            Step::Hear(count) => {
                let mut bytes = vec![0; *count];
                if stream.read_exact(&mut bytes).await.is_err() {
                    return true;
                }
                heard.lock().expect("no panic while locked").extend(bytes);
            }
            Step::Until(end) => {
                let mut bytes = Vec::new();
                while !bytes.ends_with(end) {
                    match stream.read_u8().await {
                        Ok(byte) => bytes.push(byte),
                        Err(_) => return true,
                    }
                }
                heard.lock().expect("no panic while locked").extend(bytes);
            }
            Step::Wait(time) => tokio::time::sleep(*time).await,
            Step::Tls => {}
            Step::Hang => std::future::pending().await,
            Step::Reset => return false,
        }
    }
    true
}

/// The monitor of a `[[monitor]]` with these keys.
pub fn monitor(keys: &str) -> Arc<Monitor> {
    let directory = tempfile::tempdir().expect("a directory");
    monitor_in(directory.path(), keys)
}

/// The same, its files in this directory.
pub fn monitor_in(directory: &Path, keys: &str) -> Arc<Monitor> {
    std::fs::write(
        directory.join("monitors.toml"),
        format!("[daemon]\ndatabase = \"x.db\"\n[[monitor]]\n{keys}\n"),
    )
    .expect("a file");
    let environment = Environment {
        directory: directory.to_owned(),
        ..Environment::default()
    };
    let config = config::load(Path::new("monitors.toml"), &environment);
    let config = config.unwrap_or_else(|errors| panic!("{keys}\n{errors}"));
    Arc::clone(&config.monitors[0])
}

/// One check of a monitor.
pub async fn check_of(prober: &Prober, monitor: &Monitor) -> Check {
    check_at(prober, monitor, clock::now()).await
}

/// The same as if it began at this moment.
pub async fn check_at(
    prober: &Prober,
    monitor: &Monitor,
    at: sitewatch::domain::timestamp::Timestamp,
) -> Check {
    let judges = Judges::default();
    let room = monitor.rules.interval;
    let eyes = Eyes {
        prober,
        judges: &judges,
        canaries: None,
    };
    let judged = look(eyes, &monitor.subject, at, room, Keep::Nothing).await;
    judged.expect("no panic").check
}
