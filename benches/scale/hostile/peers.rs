//! The peers: threads of a process of their own on the target's core, at the lowest priority.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::super::process::{Pinned, myself};
use super::kinds::{KINDS, Kind, Talk};
use super::tls;

/// The running peers.
pub(super) struct Peers {
    _process: Pinned,
    /// One for each kind.
    pub(super) ports: Vec<u16>,
}

impl Peers {
    /// Their files go into `directory`.
    pub(super) fn start(directory: &Path) -> Self {
        let directory = directory.to_str().expect("a plain name");
        let arguments = ["hostile-peers", directory];
        let mut process = Pinned::start(0, &myself(), &arguments, Stdio::piped(), &[]);
        let out = process.0.stdout.take().expect("its output is piped");
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line)
            .expect("it prints its ports");
        let ports = line
            .split_whitespace()
            .map(|port| port.parse().expect("a port"))
            .collect();
        Self {
            _process: process,
            ports,
        }
    }
}

/// The role: one listener a kind; prints the ports and serves until its standard input ends.
pub fn run(arguments: &[String]) {
    let directory = arguments.first().expect("a directory");
    tls::prepare(Path::new(directory));
    let _ = Command::new("renice")
        .args(["-n", "19", "-p", &std::process::id().to_string()])
        .stdout(Stdio::null())
        .status();
    let mut ports = Vec::new();
    for kind in KINDS {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        ports.push(listener.local_addr().expect("bound").port().to_string());
        std::thread::spawn(move || serve(listener, kind));
    }
    println!("{}", ports.join(" "));
    let _ = std::io::stdout().flush();
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

fn serve(listener: TcpListener, kind: &'static Kind) {
    if let Talk::Udp(talk) = kind.talk {
        return talk(listener);
    }
    let material = Arc::new(OnceLock::new());
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { continue };
        let material = Arc::clone(&material);
        std::thread::spawn(move || converse(kind, &mut stream, &material));
    }
}

fn converse(kind: &Kind, stream: &mut TcpStream, material: &OnceLock<Vec<u8>>) {
    let within = Some(Duration::from_secs(20));
    let _ = stream.set_write_timeout(within);
    let _ = stream.set_read_timeout(within);
    // That the monitor goes away is how each of these ends.
    let _ = match kind.talk {
        Talk::AfterRequest(talk) => {
            let bytes = material.get_or_init(kind.material);
            let mut request = [0; 65_536];
            match stream.read(&mut request) {
                Ok(1..) => talk(stream, bytes),
                ended => ended.map(|_| ()),
            }
        }
        Talk::FromStart(talk) => talk(stream),
        Talk::Udp(_) => Ok(()),
    };
}
