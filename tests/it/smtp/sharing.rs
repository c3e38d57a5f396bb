//! Mails that share a connection: each recipient has an outcome of its own.

use sitewatch::store::outbox::{queries, told};

use super::outbox::{Post, letter};
use super::server::{Act, At};

const THREE: [&str; 3] = ["a@example.com", "b@example.com", "c@example.com"];

fn to_of(came: &[String]) -> Vec<&str> {
    let mut to: Vec<&str> = came
        .iter()
        .filter_map(|line| line.split(' ').next())
        .collect();
    to.sort_unstable();
    to
}

async fn three(faults: Vec<(At, Option<&'static str>, usize, Act)>) -> Post {
    let mut post = Post::new(faults).await;
    post.queue(&[letter(&post, 1, false, &THREE)]);
    post.send().await;
    post
}

#[tokio::test]
async fn all_recipients_share_a_connection() {
    let mut post = Post::new(Vec::new()).await;
    let to: Vec<String> = (0..12)
        .map(|number| format!("p{number}@example.com"))
        .collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    post.queue(&[letter(&post, 1, false, &to), letter(&post, 2, false, &to)]);
    let emptied = post.send().await;
    assert_eq!((emptied.sent, emptied.left), (24, 0), "{:?}", emptied.lines);
    assert_eq!(post.server.connections(), 1);
    let heard = post.server.heard();
    assert_eq!(
        heard.iter().filter(|line| line.starts_with("EHLO")).count(),
        1
    );
    assert_eq!(heard.last().map(String::as_str), Some("QUIT"));
    // Each envelope has one recipient, each message all of them, and both mails one Message-ID each.
    let came = post.server.came();
    for message in &came {
        assert!(message.data.matches("@example.com").count() >= 12);
    }
    let mut ids: Vec<_> = came
        .iter()
        .map(|message| message.field("Message-ID"))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 2);
}

#[tokio::test]
async fn a_connection_carries_a_bounded_number_of_mails() {
    let mut post = Post::new(Vec::new()).await;
    let to: Vec<String> = (0..120)
        .map(|number| format!("p{number}@example.com"))
        .collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    post.queue(&[letter(&post, 1, false, &to)]);
    assert_eq!(post.send().await.sent, 120);
    assert_eq!(post.server.connections(), 3);
}

#[tokio::test]
async fn one_refusal_spoils_no_other_mail_of_the_connection() {
    for (said, state, connections) in [
        ("550 5.1.1 no such user", "failed", 1),
        ("554 5.7.1 relay access denied", "waiting", 1),
        ("450 4.2.0 later", "waiting", 1),
        // Once more over a new connection, and a third for the next recipient.
        ("421 4.3.0 enough of you", "waiting", 3),
    ] {
        let post = three(vec![(At::Rcpt, Some(THREE[1]), 9, Act::Say(said))]).await;
        assert_eq!(to_of(&post.came()), [THREE[0], THREE[2]], "{said}");
        assert_eq!(post.server.connections(), connections, "{said}");
        assert!(
            post.states()
                .contains(&format!("down {} {state}", THREE[1])),
            "{said}: {:?}",
            post.states()
        );
        let heard = post.server.heard();
        let has_reset = heard.iter().any(|line| line == "RSET");
        assert_eq!(has_reset, connections == 1, "{said}: {heard:?}");
    }
}

#[tokio::test]
async fn an_unknown_outcome_is_that_of_its_recipient_alone() {
    let post = three(vec![(At::End, Some(THREE[1]), 1, Act::Cut)]).await;
    assert_eq!(
        to_of(&post.came()),
        THREE,
        "taken, and not acknowledged for one"
    );
    let unknown: Vec<(String, u32)> = queries::lanes(post.store.outbox())
        .unwrap()
        .iter()
        .map(|lane| (lane.to.key().to_owned(), lane.waiting[0].unknown()))
        .collect();
    assert_eq!(unknown, [(THREE[1].to_owned(), 1)]);
}

#[tokio::test]
async fn a_server_that_has_enough_of_a_connection_is_asked_over_a_new_one() {
    for act in [
        Act::Raw(b"250 2.0.0 ok\r\n421 4.7.0 too many mails\r\n"),
        Act::Raw(b"250 2.0.0 ok\r\n421"),
    ] {
        let post = three(vec![(At::End, Some(THREE[0]), 9, act.clone())]).await;
        assert_eq!(to_of(&post.came()), THREE, "{act:?}");
        assert_eq!(post.server.connections(), 2);
        assert!(
            post.states().iter().all(|state| state.ends_with(" sent")),
            "{:?}",
            post.states()
        );
    }
}

#[tokio::test]
async fn a_limit_at_the_greeting_rests_all_mails_and_counts_once() {
    let post = three(vec![(
        At::Greeting,
        None,
        99,
        Act::Say("421 4.7.0 too many connections"),
    )])
    .await;
    assert_eq!(post.server.connections(), 1);
    assert!(
        post.states()
            .iter()
            .all(|state| state.ends_with(" waiting"))
    );
}

#[tokio::test]
async fn an_up_goes_to_those_only_whom_its_down_reached_or_may_have_reached() {
    let mut post = three(vec![
        (
            At::Rcpt,
            Some(THREE[0]),
            1,
            Act::Say("550 5.1.1 no such user"),
        ),
        (At::End, Some(THREE[1]), 3, Act::Cut),
    ])
    .await;
    let up = letter(&post, 1, true, &THREE);
    let incident = up.notice.news.incident().unwrap();
    let told = told::told(post.store.outbox(), incident).unwrap();
    let told: Vec<&str> = told.iter().map(|to| to.key()).collect();
    assert_eq!(told, &THREE[1..], "it may have arrived");
    let reached = told::told(post.store.outbox(), incident).unwrap();
    let batch = post.store.batch().unwrap();
    queries::enqueue(batch.outbox(), &up, up.notice.decided_at).unwrap();
    told::keep_up_from(batch.outbox(), &up, &reached, up.notice.decided_at).unwrap();
    batch.commit().unwrap();
    assert_eq!(
        post.states()[3..],
        [
            format!("up {} failed", THREE[0]),
            format!("up {} waiting", THREE[1]),
            format!("up {} waiting", THREE[2])
        ]
    );
    // A person mended the address: both in one.
    post.send().await;
    let first: Vec<String> = post
        .came()
        .into_iter()
        .filter(|line| line.starts_with("a@"))
        .collect();
    assert_eq!(first.len(), 1);
    assert!(first[0].contains("[WAS DOWN 2m]"), "{first:?}");
}

#[tokio::test]
async fn an_up_behind_a_down_that_is_refused_at_last_is_not_sent() {
    let mut post = Post::new(vec![
        (At::Rcpt, None, 1, Act::Say("450 4.2.0 later")),
        (At::Rcpt, None, 1, Act::Say("550 5.1.1 no such user")),
    ])
    .await;
    let to = ["a@example.com"];
    post.queue(&[letter(&post, 1, false, &to)]);
    post.send().await;
    // Of the two waiting nothing has left: they are one mail, and refused as one.
    post.queue(&[letter(&post, 1, true, &to)]);
    post.send().await;
    assert!(post.came().is_empty(), "{:?}", post.came());
    assert!(
        post.states().iter().all(|state| state.ends_with(" failed")),
        "{:?}",
        post.states()
    );
    post.send().await;
    assert_eq!(post.came().len(), 1);
    assert!(
        post.came()[0].contains("[WAS DOWN 2m]"),
        "{:?}",
        post.came()
    );
}

#[tokio::test]
async fn an_up_kept_beside_the_refused_digest_of_its_down_is_sent_after_it() {
    let mut post = Post::new(vec![(
        At::Rcpt,
        None,
        1,
        Act::Say("550 5.1.1 no such user"),
    )])
    .await;
    let to = ["a@example.com"];
    let downs: Vec<_> = (1..=4).map(|n| letter(&post, n, false, &to)).collect();
    post.queue(&downs);
    post.send().await;
    assert!(post.came().is_empty(), "{:?}", post.came());
    let up = letter(&post, 1, true, &to);
    let batch = post.store.batch().unwrap();
    queries::enqueue(batch.outbox(), &up, up.notice.decided_at).unwrap();
    told::keep_up_from(batch.outbox(), &up, &[], up.notice.decided_at).unwrap();
    batch.commit().unwrap();
    post.send().await;
    let came = post.came();
    assert_eq!(came.len(), 2, "{came:?}");
    assert!(came[1].contains("[UP after "), "{came:?}");
}

#[tokio::test]
async fn a_server_without_rset_is_asked_over_a_new_connection() {
    let post = three(vec![
        (
            At::Rcpt,
            Some(THREE[0]),
            1,
            Act::Say("550 5.1.1 no such user"),
        ),
        (At::Rset, None, 9, Act::Say("502 5.5.1 not implemented")),
    ])
    .await;
    assert_eq!(to_of(&post.came()), THREE[1..]);
    assert_eq!(post.server.connections(), 2);
}

#[tokio::test]
async fn a_refused_down_is_not_sent_after_an_up_that_is_on_its_way() {
    let mut post = Post::new(vec![(
        At::Rcpt,
        None,
        1,
        Act::Say("550 5.1.1 no such user"),
    )])
    .await;
    let to = ["a@example.com"];
    post.queue(&[letter(&post, 1, false, &to)]);
    post.send().await;
    post.queue(&[letter(&post, 1, true, &to)]);
    let batch = post.store.batch().unwrap();
    batch
        .outbox()
        .execute("UPDATE outbox SET begun_at = 1 WHERE kind = 'up'", [])
        .unwrap();
    let retried = queries::retry(batch.outbox(), sitewatch::clock::now()).unwrap();
    batch.commit().unwrap();
    assert_eq!((retried.failed, retried.dropped), (0, 1));
    assert_eq!(
        post.states(),
        ["down a@example.com dropped", "up a@example.com waiting"]
    );
}
