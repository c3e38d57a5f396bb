//! The control socket's server side: who may come is decided by its mode, what is asked elsewhere.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use crate::control::{self, Answer, REQUEST_BYTES_MAX, Request};
use crate::daemon::logging::targets;
use crate::own_files;

/// Owner and group: whoever is in the group may give orders.
const MODE: u32 = 0o660;

/// The kernel's `sun_path` with its final zero.
const PATH_BYTES_MAX: usize = 107;

/// Orders that are carried out at a time: people and a reload script; more is a mistake, and waits.
const CONNECTIONS_MAX: usize = 32;

/// Connections that have asked nothing yet. Beyond it the oldest goes: our commands ask at once.
const SILENT_MAX: usize = 64;

/// A request is one short line; whoever takes longer is not one of our commands.
const LINE_WITHIN: Duration = Duration::from_secs(10);

/// Why there can be no control socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The address does not fit.
    #[error("make the control socket {}: the path is longer than {PATH_BYTES_MAX} bytes; set a shorter [daemon].control_socket", path.display())]
    Long {
        /// The path.
        path: PathBuf,
    },
    /// Another daemon listens.
    #[error("make the control socket {}: another daemon listens there; stop it first, or set another [daemon].control_socket", path.display())]
    Taken {
        /// The path.
        path: PathBuf,
    },
    /// Something else has the name.
    #[error("make the control socket {}: there is a file of that name that is not a socket; remove it or set another [daemon].control_socket", path.display())]
    Occupied {
        /// The path.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("make the control socket {}: {source}; its directory must exist and be writable for this user, or set another [daemon].control_socket", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Who is at the other end, as the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Their user.
    pub uid: u32,
    /// Their process, where known.
    pub pid: Option<i32>,
}

/// Answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Does what is asked and says how it went.
    fn answer(&self, request: Request, peer: Peer) -> impl Future<Output = Answer> + Send;

    /// The command exited whose window a connection holds.
    fn command_ended(&self, window: u64);

    /// A connection that holds a window is gone.
    fn connection_lost(&self, window: u64);
}

/// The socket of this daemon; its file goes when this is dropped, unless it is another's by then.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl ControlSocket {
    /// Takes the place of a socket that nobody listens at any more; never that of a living daemon.
    ///
    /// # Errors
    /// When the place is taken or cannot be had.
    pub fn bind(path: &Path) -> Result<Self, SocketError> {
        let io_error = |source| SocketError::Io {
            path: path.to_owned(),
            source,
        };
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        // Made under another name, so that nobody meets it before its mode is right.
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}", std::process::id()));
        let mut made_as = path.with_file_name(name);
        if made_as.as_os_str().len() > PATH_BYTES_MAX {
            made_as = path.with_file_name(format!(".{}.sock", std::process::id()));
        }
        if path.as_os_str().len() > PATH_BYTES_MAX {
            return Err(SocketError::Long {
                path: path.to_owned(),
            });
        }
        if let Some(parent) = parent {
            own_files::make_folder(parent).map_err(io_error)?;
        }
        make_way(path)?;
        // Left behind by a process of the same number that was killed right here.
        let _ = fs::remove_file(&made_as);
        let listener = listen(&made_as).map_err(io_error)?;
        let moved = fs::set_permissions(&made_as, fs::Permissions::from_mode(MODE))
            .and_then(|()| fs::rename(&made_as, path))
            .and_then(|()| fs::symlink_metadata(path));
        match moved {
            Ok(metadata) => Ok(Self {
                listener,
                path: path.to_owned(),
                inode: metadata.ino(),
            }),
            Err(source) => {
                let _ = fs::remove_file(&made_as);
                Err(io_error(source))
            }
        }
    }

    /// Serves until it is dropped.
    pub async fn serve(self, handler: Arc<impl Handler>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        // Those that have asked nothing yet, the oldest first: each ends when its sender is dropped.
        let mut silent: VecDeque<oneshot::Sender<()>> = VecDeque::new();
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    silent.retain(|one| !one.is_closed());
                    if silent.len() >= SILENT_MAX {
                        silent.pop_front();
                    }
                    let (end, ended) = oneshot::channel();
                    silent.push_back(end);
                    let (handler, places) = (Arc::clone(&handler), Arc::clone(&places));
                    tokio::spawn(async move {
                        if let Err(error) = converse(stream, ended, &places, &*handler).await {
                            tracing::debug!(%error, "a control connection broke");
                        }
                    });
                }
                Err(error) => {
                    // Out of descriptors: others will be closed soon.
                    tracing::warn!(%error, "the control socket cannot accept");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let still_ours =
            fs::symlink_metadata(&self.path).is_ok_and(|metadata| metadata.ino() == self.inode);
        if still_ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens at a path that may be longer than the kernel takes: then by way of its folder.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return UnixListener::bind(path);
    };
    if path.as_os_str().len() <= PATH_BYTES_MAX || parent.as_os_str().is_empty() {
        return UnixListener::bind(path);
    }
    let folder = fs::File::open(parent)?;
    let by_folder = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
    UnixListener::bind(by_folder.join(name))
}

/// Refuses a living daemon's place and what is no socket; a dead socket is renamed over.
fn make_way(path: &Path) -> Result<(), SocketError> {
    let path_owned = || path.to_owned();
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(SocketError::Io {
            path: path_owned(),
            source,
        }),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            Err(SocketError::Occupied { path: path_owned() })
        }
        Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => Err(SocketError::Taken { path: path_owned() }),
            Err(_) => Ok(()),
        },
    }
}

async fn converse(
    stream: UnixStream,
    ended: oneshot::Receiver<()>,
    places: &Semaphore,
    handler: &impl Handler,
) -> io::Result<()> {
    let peer = stream.peer_cred().map(|credentials| Peer {
        uid: credentials.uid(),
        pid: credentials.pid(),
    })?;
    let (reader, mut writer) = stream.into_split();
    let mut line = Vec::new();
    let mut reader = BufReader::new(reader.take(REQUEST_BYTES_MAX as u64));
    tokio::select! {
        read = timeout(LINE_WITHIN, reader.read_until(b'\n', &mut line)) => { read??; }
        // Another wants to be heard.
        _ = ended => return Ok(()),
    }
    if line.is_empty() {
        return Ok(());
    }
    let Ok(place) = places.acquire().await else {
        return Ok(());
    };
    let answer = match serde_json::from_slice::<Request>(&line) {
        Ok(request) if line.ends_with(b"\n") => {
            log_order(&request, peer);
            handler.answer(request, peer).await
        }
        Ok(_) => refused("the request is cut short".to_owned()),
        Err(error) => refused(format!("the request is not understood: {error}")),
    };
    let written = timeout(LINE_WITHIN, writer.write_all(&control::line(&answer))).await;
    let Answer::Held { window, .. } = answer else {
        written??;
        return timeout(LINE_WITHIN, writer.shutdown()).await?;
    };
    drop(place);
    line.clear();
    // The connection shows that the wrapper of the command is alive: it lasts as long as the wrapper.
    let ended = matches!(written, Ok(Ok(()))) && reader.read_until(b'\n', &mut line).await.is_ok();
    match ended && line == control::COMMAND_ENDED {
        true => handler.command_ended(window),
        false => handler.connection_lost(window),
    }
    Ok(())
}

fn refused(line: String) -> Answer {
    Answer::Refused { lines: vec![line] }
}

fn log_order(request: &Request, peer: Peer) {
    let Peer { uid, pid } = peer;
    // Looking is no order.
    if *request != Request::Status {
        tracing::info!(target: targets::ORDER, uid, pid, command = %request.word(), "asked through the control socket");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Echo;

    impl Handler for Echo {
        fn command_ended(&self, _: u64) {}

        fn connection_lost(&self, _: u64) {}

        async fn answer(&self, request: Request, peer: Peer) -> Answer {
            assert_eq!(peer.pid, i32::try_from(std::process::id()).ok());
            Answer::Done {
                lines: vec![request.word().to_owned()],
            }
        }
    }

    async fn asked(path: &Path, bytes: &'static [u8]) -> String {
        let mut stream = UnixStream::connect(path).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn one_line_one_answer() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/control.sock");
        let socket = ControlSocket::bind(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o660);
        let server = tokio::spawn(socket.serve(Arc::new(Echo)));
        assert_eq!(
            asked(&path, b"{\"command\":\"reload\"}\n").await,
            "{\"answer\":\"done\",\"lines\":[\"reload\"]}\n"
        );
        assert_eq!(
            asked(&path, b"{\"command\":\"reload\"}").await,
            "{\"answer\":\"refused\",\"lines\":[\"the request is cut short\"]}\n"
        );
        assert!(
            asked(&path, b"GET / HTTP/1.1\r\n\r\n")
                .await
                .contains("not understood")
        );
        assert_eq!(asked(&path, b"").await, "");
        server.abort();
        assert!(server.await.unwrap_err().is_cancelled());
        assert!(!path.exists(), "it tidies up");
    }

    #[tokio::test]
    async fn the_longest_path_that_can_be_connected_to_can_be_listened_at() {
        let directory = tempfile::tempdir().unwrap();
        let room = PATH_BYTES_MAX - directory.path().as_os_str().len() - "/".len();
        let path = directory.path().join("x".repeat(room));
        let server = tokio::spawn(ControlSocket::bind(&path).unwrap().serve(Arc::new(Echo)));
        let answer = asked(&path, b"{\"command\":\"reload\"}\n").await;
        assert!(answer.contains("\"done\""), "{answer}");
        server.abort();
        let longer = directory.path().join("x".repeat(room + 1));
        assert!(matches!(
            ControlSocket::bind(&longer),
            Err(SocketError::Long { .. })
        ));
    }

    #[tokio::test]
    async fn clients_that_say_nothing_hold_nobody_up() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        let server = tokio::spawn(ControlSocket::bind(&path).unwrap().serve(Arc::new(Echo)));
        let mut silent = Vec::new();
        for _ in 0..3 * SILENT_MAX {
            let mut stream = UnixStream::connect(&path).await.unwrap();
            // The oldest may have gone already.
            let _ = stream.write_all(b"{\"command\":").await;
            silent.push(stream);
        }
        let answer = asked(&path, b"{\"command\":\"reload\"}\n");
        let answer = timeout(LINE_WITHIN / 2, answer).await.unwrap();
        assert!(answer.contains("\"done\""), "{answer}");
        server.abort();
    }

    #[tokio::test]
    async fn a_dead_socket_gives_way_and_a_living_one_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let socket = ControlSocket::bind(&path).unwrap();
        assert!(matches!(
            ControlSocket::bind(&path),
            Err(SocketError::Taken { .. })
        ));
        drop(socket);
        fs::write(&path, "a letter").unwrap();
        assert!(matches!(
            ControlSocket::bind(&path),
            Err(SocketError::Occupied { .. })
        ));
        let long = directory.path().join("x".repeat(100));
        assert!(matches!(
            ControlSocket::bind(&long),
            Err(SocketError::Long { .. })
        ));
        let missing = Path::new("/proc/nothing/control.sock");
        let error = ControlSocket::bind(missing).unwrap_err().to_string();
        assert!(error.contains("its directory must exist"), "{error}");
    }
}
