//! Two servers behind one name, one of which nobody listens at: what the daemon records, shows and mails.

use std::net::Ipv4Addr;

use serde_json::Value;
use tokio::net::TcpListener;

use super::{House, text};
use crate::support::dns::{NameServer, Says};
use crate::support::port::{Port, Step, say};

fn json(house: &House, arguments: &[&str]) -> Vec<Value> {
    let output = house.ask(arguments);
    let lines = text(&output.stdout);
    let objects = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    objects.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_address_is_mailed_once() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let _site = Port::listening(listener, vec![Step::Until(b"\r\n\r\n"), answer], None);
    let dns = NameServer::scripted(|asked| match asked.six {
        true => Says::Addresses(Vec::new()),
        false => Says::Addresses(vec![
            Ipv4Addr::LOCALHOST.into(),
            Ipv4Addr::new(127, 0, 0, 2).into(),
        ]),
    })
    .await;
    let server = dns.address;
    let house = House::new(&format!(
        "[dns]\nservers = [\"{server}\"]\n\n[[monitor]]\nname = \"shop\"\n\
         url = \"http://site.test:{port}/\"\naddresses = \"each\"\n"
    ));
    let _daemon = house.start().await;
    house
        .until("the mail", || !house.subjects().is_empty())
        .await;
    let mails = house.mails();
    assert_eq!(mails[0].subject, "[DEGRADED address_down] shop");
    // It is said once, however often it is seen again.
    let seen = || json(&house, &["history", "shop", "--limit", "50", "--json"]).len();
    house.until("six checks", || seen() >= 6).await;
    assert_eq!(house.subjects().len(), 1);
    let newest = &json(&house, &["history", "shop", "--limit", "1", "--json"])[0];
    assert_eq!(newest["state"], "degraded", "{newest}");
    assert_eq!(newest["failure"]["kind"], "address_down", "{newest}");
    assert_eq!(newest["status"], 200, "{newest}");
    let addresses = newest["addresses"].as_array().unwrap();
    let shown: Vec<String> = addresses
        .iter()
        .map(|one| {
            format!(
                "{} {} {}",
                one["addr"], one["state"], one["failure"]["kind"]
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            format!("\"127.0.0.1:{port}\" \"up\" null"),
            format!("\"127.0.0.2:{port}\" \"down\" \"connect_refused\""),
        ]
    );
    let status = &json(&house, &["status", "--json"])[0];
    assert_eq!(status["state"], "degraded", "{status}");
    assert_eq!(status["incident"], Value::Null, "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_address_is_an_outage_where_that_is_wished() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let _site = Port::listening(listener, vec![Step::Until(b"\r\n\r\n"), answer], None);
    let dns = NameServer::scripted(|asked| match asked.six {
        true => Says::Addresses(Vec::new()),
        false => Says::Addresses(vec![
            Ipv4Addr::LOCALHOST.into(),
            Ipv4Addr::new(127, 0, 0, 2).into(),
        ]),
    })
    .await;
    let server = dns.address;
    let house = House::new(&format!(
        "[dns]\nservers = [\"{server}\"]\n\n[[monitor]]\nname = \"shop\"\n\
         url = \"http://site.test:{port}/\"\naddresses = \"each\"\non_address_down = \"down\"\n"
    ));
    let _daemon = house.start().await;
    house
        .until("the mail", || !house.subjects().is_empty())
        .await;
    assert_eq!(house.subjects(), ["[DOWN address_down] shop"]);
    let mail = &house.mails()[0];
    assert!(mail.text.contains("127.0.0.2"), "{}", mail.text);
    let incident = &json(&house, &["incidents", "shop", "--json"])[0];
    assert_eq!(incident["cause"]["kind"], "address_down", "{incident}");
    assert_eq!(incident["closed_at"], Value::Null, "{incident}");
}
