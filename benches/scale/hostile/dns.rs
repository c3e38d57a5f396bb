//! Hostile name servers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};

/// Answers of each question that mean nothing.
const GARBAGE_ANSWERS: usize = 2000;

fn udp_beside(listener: &TcpListener) -> UdpSocket {
    let address = listener.local_addr().expect("bound");
    UdpSocket::bind(address).expect("the UDP port of the same number")
}

/// Never the answer: other identifiers, other questions, other names, counts that lie, no message at all.
pub(super) fn garbage(listener: TcpListener) {
    let socket = udp_beside(&listener);
    let mut packet = [0; 1500];
    while let Ok((length, from)) = socket.recv_from(&mut packet) {
        let question = &packet[..length];
        for number in 0..GARBAGE_ANSWERS {
            let mut answer = question.to_vec();
            answer[2] |= 0x80;
            match number % 4 {
                0 => answer[0] ^= 0x55,
                1 => answer[12..].reverse(),
                // 65 535 answers, of which there is none: each of them a name that points to itself.
                2 => {
                    answer[6..8].fill(0xff);
                    answer.extend([0xc0, 12, 0, 1].repeat(100));
                }
                _ => answer.iter_mut().for_each(|byte| *byte ^= 0xa5),
            }
            let _ = socket.send_to(&answer, from);
        }
    }
}

/// "Ask over TCP", and there messages of 64 KiB without end.
pub(super) fn truncated(listener: TcpListener) {
    let socket = udp_beside(&listener);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            std::thread::spawn(move || {
                let mut question = [0; 1500];
                let length = stream.read(&mut question).unwrap_or(0);
                let mut message = vec![0xff, 0xff];
                message.extend(question.get(2..length).unwrap_or_default());
                message.resize(2 + 0xffff, 0xc0);
                // An answer to this question with as many records as the header can announce.
                message[4] |= 0x80;
                message[8..10].fill(0xff);
                while stream.write_all(&message).is_ok() {}
            });
        }
    });
    let mut packet = [0; 1500];
    while let Ok((length, from)) = socket.recv_from(&mut packet) {
        say_truncated(&socket, &mut packet[..length], from);
    }
}

fn say_truncated(socket: &UdpSocket, question: &mut [u8], from: SocketAddr) {
    if let Some(flags) = question.get_mut(2) {
        *flags |= 0x82;
        let _ = socket.send_to(question, from);
    }
}
