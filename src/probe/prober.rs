//! Follows one check from its first DNS query to the last byte of its last answer.

use std::sync::Arc;

use crate::clock;
use crate::domain::check::{FailureKind, HttpVersion, Micros, Timings};
use crate::domain::mask;
use crate::domain::probe::{Answer, End, Hop, Probe};
use crate::domain::target::{DnsSettings, Target};
use crate::domain::timestamp::Timestamp;

/// Why no prober can be had.
#[derive(Debug, thiserror::Error)]
pub enum ProbeSetupError {
    /// The TLS parts could not be put together.
    #[error("set up TLS: {0}")]
    Tls(String),
    /// The HTTP client could not be built.
    #[error("set up the HTTP client: {0}")]
    Client(String),
}

/// Everything checks share: trust anchors, name servers, clients. One for the whole process.
#[derive(Debug, Clone)]
pub struct Prober {
    client: reqwest::Client,
}

impl Prober {
    /// Reads the system's trust anchors and resolver configuration.
    ///
    /// # Errors
    /// When the TLS parts or the client cannot be built.
    pub fn new(_dns: &DnsSettings) -> Result<Self, ProbeSetupError> {
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
            rustls::crypto::ring::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .map_err(|error| ProbeSetupError::Tls(error.to_string()))?
        .with_root_certificates(rustls::RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        })
        .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .no_proxy()
            .build()
            .map_err(|error| ProbeSetupError::Client(error.to_string()))?;
        Ok(Self { client })
    }

    /// Runs one check within the target's timeout. Never fails: whatever goes wrong is what it saw.
    pub async fn run(&self, target: &Arc<Target>, started: Timestamp) -> Probe {
        let begin = clock::tick();
        let answer = tokio::time::timeout(target.timeout, async {
            let mut answer = self.client.get(target.url.clone()).send().await?;
            let mut body = Vec::new();
            while let Some(piece) = answer.chunk().await? {
                body.extend_from_slice(&piece);
            }
            Ok::<_, reqwest::Error>((answer, body))
        })
        .await;
        let took = begin.elapsed();
        let url = mask::without_userinfo(&target.url);
        let failed = |kind| End::Failed {
            kind,
            detail: FailureKind::as_str(kind).to_owned(),
            url: url.clone(),
            remote_addr: None,
            header: None,
        };
        let end = match answer {
            Ok(Ok((answer, body))) => End::Answered(Answer {
                hop: Hop {
                    url: url.clone(),
                    status: answer.status().as_u16(),
                    location: None,
                    remote_addr: answer.remote_addr(),
                    took,
                },
                http_version: HttpVersion::Http11,
                headers: Vec::new(),
                body_bytes: body.len() as u64,
                body,
                body_cut: false,
                retry_after_s: None,
                credentials_dropped: false,
            }),
            Ok(Err(_)) => failed(FailureKind::ConnectRefused),
            Err(_) => failed(FailureKind::TimeoutResponse),
        };
        Probe {
            started,
            timings: Timings {
                total: Micros::of(took),
                ..Timings::default()
            },
            redirects: Vec::new(),
            end,
            certificate: None,
            remarks: Vec::new(),
        }
    }
}
