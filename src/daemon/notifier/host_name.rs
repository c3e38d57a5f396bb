//! The name of this host.

use crate::domain::safe_text;

/// The name of this host, as mails call it.
pub fn host() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    let name = safe_text::line(&name, 100);
    if name.is_empty() {
        "this host".to_owned()
    } else {
        name.into_owned()
    }
}
