//! The kinds of events that the log sets apart: tracing targets, each with its own `MESSAGE_ID` in the
//! journal, so that `journalctl MESSAGE_ID=...` finds one kind in years of lines.

/// A monitor changed its state. Fields: `monitor`, `state`.
pub const STATE: &str = "sitewatch::state";
/// A mail was accepted. Fields: `monitor` where it is about one, `to`.
pub const MAIL_SENT: &str = "sitewatch::mail_sent";
/// A mail was refused, given up or has to wait. Fields: `monitor` where it is about one, `to`.
pub const MAIL_FAILED: &str = "sitewatch::mail_failed";
/// The configuration was read again, or refused.
pub const RELOAD: &str = "sitewatch::reload";
/// Somebody gave an order by the control socket. Fields: `command`, `uid`, `pid`.
pub const ORDER: &str = "sitewatch::order";
/// The daemon itself is in trouble, or well again.
pub const TROUBLE: &str = "sitewatch::trouble";

/// Each kind with its 128-bit id, made once and kept for ever.
pub const MESSAGE_IDS: [(&str, &str); 6] = [
    (STATE, "3f1c7a5e0c5a4b0f9f0f8d2c6b7e1a01"),
    (MAIL_SENT, "9d0a6c1b5b0e4f6c8a52c3e7d41f7b02"),
    (MAIL_FAILED, "c4f7be3d91d24d8fae0b6a2f15c98d03"),
    (RELOAD, "6b2e94d07f8a4c31b5d9e8f3a07c6e04"),
    (ORDER, "e81d5f2c3a964b7d92c6071bf4da3805"),
    (TROUBLE, "17a9c8e64d3b4fa2b0e5f6d9812c4706"),
];
