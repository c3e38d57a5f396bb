//! Names a failure of HTTP/2 and HTTP/3, by the codes of their frames.

use h2::Reason;
#[cfg(feature = "http3")]
use quinn::{ConnectionError, TransportErrorCode, VarInt};
#[cfg(feature = "http3")]
use rustls::AlertDescription;

use super::classify::Fault;
#[cfg(feature = "http3")]
use super::connection::Three;
use crate::domain::check::FailureKind;
#[cfg(feature = "http3")]
use crate::tls::words;

/// No header came.
pub(super) fn of_http2_answer(error: &h2::Error) -> Fault {
    let reason = error.reason();
    if reason == Some(Reason::HTTP_1_1_REQUIRED) && error.is_remote() {
        return (
            FailureKind::HttpVersion,
            "the server agreed to HTTP/2 and then asks for HTTP/1.1 (HTTP_1_1_REQUIRED)".to_owned(),
        );
    }
    if error.is_remote() && error.is_go_away() && reason == Some(Reason::NO_ERROR) {
        return (
            FailureKind::ClosedEarly,
            "the server closed the HTTP/2 connection before the answer's header was complete"
                .to_owned(),
        );
    }
    let code = code_name(reason);
    let detail = if error.is_remote() && error.is_go_away() {
        format!("the server gave up the HTTP/2 connection in place of an answer: {code}")
    } else if error.is_remote() {
        format!("the server reset the HTTP/2 stream in place of an answer: {code}")
    } else if error.is_library() {
        format!("no valid HTTP/2 answer: {code}")
    } else {
        "the request cannot be sent by HTTP/2".to_owned()
    };
    (FailureKind::Protocol, detail)
}

/// The body did not come whole.
pub(super) fn of_http2_body(error: &h2::Error) -> Fault {
    let code = code_name(error.reason());
    if error.is_remote() {
        return (
            FailureKind::BodyTruncated,
            format!("the server reset the HTTP/2 stream within the body: {code}"),
        );
    }
    (
        FailureKind::Protocol,
        format!("the body is no valid HTTP/2: {code}"),
    )
}

/// QUIC broke before the connection stood.
#[cfg(feature = "http3")]
pub(super) fn of_quic_handshake(error: &ConnectionError) -> Fault {
    let not_http3 = || {
        (
            FailureKind::HttpVersion,
            "the server speaks QUIC and does not agree to HTTP/3".to_owned(),
        )
    };
    let closed = |what: &str| {
        (
            FailureKind::TlsHandshake,
            format!("QUIC handshake failed: {what}"),
        )
    };
    match error {
        ConnectionError::VersionMismatch => (
            FailureKind::HttpVersion,
            "the server speaks no version of QUIC that sitewatch speaks".to_owned(),
        ),
        ConnectionError::Reset => (
            FailureKind::ConnectReset,
            "the server reset the QUIC connection while it was made".to_owned(),
        ),
        ConnectionError::TimedOut => (
            FailureKind::ConnectTimeout,
            "no answer to the connection attempt by QUIC".to_owned(),
        ),
        ConnectionError::ConnectionClosed(close)
            if close.error_code == TransportErrorCode::CONNECTION_REFUSED =>
        {
            (
                FailureKind::ConnectRefused,
                "the server refuses the QUIC connection".to_owned(),
            )
        }
        ConnectionError::ConnectionClosed(close) => match alert_of(close.error_code) {
            Some(AlertDescription::NoApplicationProtocol) => not_http3(),
            Some(alert) => closed(&words::handshake(&rustls::Error::AlertReceived(alert))),
            None => closed("the server gave it up"),
        },
        ConnectionError::TransportError(fault) => match alert_of(fault.code) {
            Some(AlertDescription::NoApplicationProtocol) => not_http3(),
            Some(_) => closed("what the server sent is no valid TLS 1.3"),
            None => closed("what the server sent is no valid QUIC"),
        },
        ConnectionError::ApplicationClosed(_) => closed("the server gave it up"),
        ConnectionError::LocallyClosed | ConnectionError::CidsExhausted => {
            closed("the library gave it up")
        }
    }
}

/// The alert of TLS in a code of QUIC (RFC 9001 section 4.8).
#[cfg(feature = "http3")]
fn alert_of(code: TransportErrorCode) -> Option<AlertDescription> {
    let code = u64::from(code).checked_sub(0x100)?;
    u8::try_from(code).ok().map(AlertDescription::from)
}

/// No header came by HTTP/3.
#[cfg(feature = "http3")]
pub(super) fn of_http3_answer(error: &Three) -> Fault {
    match error {
        Three::Reset(code) if code == VERSION_FALLBACK => (
            FailureKind::HttpVersion,
            format!("the server agreed to HTTP/3 and then asks for HTTP/1.1 ({code})"),
        ),
        Three::Reset(code) => (
            FailureKind::Protocol,
            format!("the server reset the HTTP/3 stream in place of an answer: {code}"),
        ),
        Three::Invalid(code) => (
            FailureKind::Protocol,
            format!("no valid HTTP/3 answer{}", after_colon(code)),
        ),
        Three::Connection(error) => match error {
            ConnectionError::Reset => (
                FailureKind::ConnectReset,
                "the server reset the QUIC connection before the answer's header was complete"
                    .to_owned(),
            ),
            ConnectionError::TimedOut => (
                FailureKind::TimeoutResponse,
                "the QUIC connection went dead before the answer's header was complete".to_owned(),
            ),
            // With TLS 1.3 a server refuses a client only after the client's handshake is done.
            ConnectionError::ConnectionClosed(close) if alert_of(close.error_code).is_some() => {
                of_quic_handshake(error)
            }
            error if is_orderly(error) => (
                FailureKind::ClosedEarly,
                "the server closed the QUIC connection before the answer's header was complete"
                    .to_owned(),
            ),
            error => (
                FailureKind::Protocol,
                format!(
                    "the QUIC connection was given up in place of an answer: {}",
                    code_of(error)
                ),
            ),
        },
    }
}

/// The body did not come whole by HTTP/3.
#[cfg(feature = "http3")]
pub(super) fn of_http3_body(error: &Three) -> Fault {
    match error {
        Three::Reset(code) => (
            FailureKind::BodyTruncated,
            format!("the server reset the HTTP/3 stream within the body: {code}"),
        ),
        Three::Invalid(code) => (
            FailureKind::Protocol,
            format!("the body is no valid HTTP/3{}", after_colon(code)),
        ),
        Three::Connection(ConnectionError::TimedOut) => (
            FailureKind::TimeoutBody,
            "the QUIC connection went dead within the body".to_owned(),
        ),
        Three::Connection(ConnectionError::TransportError(_)) => (
            FailureKind::Protocol,
            "the body is no valid QUIC".to_owned(),
        ),
        Three::Connection(_) => (
            FailureKind::BodyTruncated,
            "the QUIC connection was closed before the end of the body".to_owned(),
        ),
    }
}

#[cfg(feature = "http3")]
fn after_colon(code: &Option<String>) -> String {
    code.as_ref()
        .map_or_else(String::new, |code| format!(": {code}"))
}

/// RFC 9114 section 8.1: the client is to use HTTP/1.1.
#[cfg(feature = "http3")]
const VERSION_FALLBACK: &str = "H3_VERSION_FALLBACK";

/// RFC 9114 section 8.1.
#[cfg(feature = "http3")]
const H3_NO_ERROR: u32 = 0x100;

/// Whether a connection was closed without a fault.
#[cfg(feature = "http3")]
fn is_orderly(error: &ConnectionError) -> bool {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            close.error_code == VarInt::from_u32(H3_NO_ERROR)
        }
        ConnectionError::ConnectionClosed(close) => {
            close.error_code == TransportErrorCode::NO_ERROR
        }
        ConnectionError::LocallyClosed => true,
        ConnectionError::VersionMismatch
        | ConnectionError::TransportError(_)
        | ConnectionError::Reset
        | ConnectionError::TimedOut
        | ConnectionError::CidsExhausted => false,
    }
}

#[cfg(feature = "http3")]
fn code_of(error: &ConnectionError) -> String {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            h3::error::Code::from(close.error_code.into_inner()).to_string()
        }
        ConnectionError::ConnectionClosed(close) => {
            format!("code {}", u64::from(close.error_code))
        }
        ConnectionError::TransportError(fault) => {
            format!("no valid QUIC, code {}", u64::from(fault.code))
        }
        ConnectionError::VersionMismatch
        | ConnectionError::Reset
        | ConnectionError::TimedOut
        | ConnectionError::LocallyClosed
        | ConnectionError::CidsExhausted => "no code".to_owned(),
    }
}

/// The name of a code (RFC 9113 section 7).
fn code_name(reason: Option<Reason>) -> String {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    let Some(code) = reason.map(u32::from) else {
        return "no code".to_owned();
    };
    let name = usize::try_from(code).ok().and_then(|code| NAMES.get(code));
    name.map_or_else(|| format!("code {code}"), |name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_names_of_the_standard() {
        assert_eq!(code_name(Some(Reason::NO_ERROR)), "NO_ERROR");
        assert_eq!(code_name(Some(Reason::CANCEL)), "CANCEL");
        assert_eq!(
            code_name(Some(Reason::HTTP_1_1_REQUIRED)),
            "HTTP_1_1_REQUIRED"
        );
        assert_eq!(code_name(Some(77.into())), "code 77");
        assert_eq!(code_name(None), "no code");
    }
}
