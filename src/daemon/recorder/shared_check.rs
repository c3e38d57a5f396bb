//! What most checks share with the one before is kept once.

use std::sync::Arc;

use crate::domain::check::{Chain, Check};

/// A copy of a check that shares with the one before what is the same.
pub(super) fn shared(original: &Check, newest: Option<&Arc<Check>>, url: &Arc<str>) -> Check {
    let mut check = Check::clone(original);
    let before = newest.map(|newest| &newest.chain);
    check.chain = kept_once(&original.chain, before, |chain| chain_ending_at(url, chain));
    check.certificate = original.certificate.as_ref().map(|certificate| {
        let before = newest.and_then(|newest| newest.certificate.as_ref());
        let same = before.filter(|before| *before == certificate);
        Arc::clone(same.unwrap_or(certificate))
    });
    check
}

/// What most checks share with the one before is kept once. What is new is copied: made by the thread of the checks, it
/// would lie among their buffers for as long as it is remembered, and keep that memory from being used again. For the
/// same reason the originals (`Recorder::copied`) outlive the copies of one batch: an allocator gives a thread first
/// what that thread freed last, so each copy would lie where the original before it did.
fn kept_once<T: PartialEq>(
    new: &Arc<T>,
    before: Option<&Arc<T>>,
    copy: impl FnOnce(&T) -> T,
) -> Arc<T> {
    match before {
        Some(before) if before == new => Arc::clone(before),
        Some(_) | None => Arc::new(copy(new)),
    }
}

/// A copy of a chain. Most end where they begin: the text of that is there already.
fn chain_ending_at(url: &Arc<str>, chain: &Chain) -> Chain {
    let final_url = match chain.final_url == *url {
        true => Arc::clone(url),
        false => Arc::from(&*chain.final_url),
    };
    Chain {
        final_url,
        ..chain.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_copied_and_what_is_known_is_shared() {
        let (before, same) = (Arc::new("a".to_owned()), Arc::new("a".to_owned()));
        assert!(Arc::ptr_eq(
            &kept_once(&same, Some(&before), String::clone),
            &before
        ));
        let new = Arc::new("b".to_owned());
        for before in [Some(&before), None] {
            let kept = kept_once(&new, before, String::clone);
            assert_eq!(kept, new);
            assert!(!Arc::ptr_eq(&kept, &new));
        }
    }
}
