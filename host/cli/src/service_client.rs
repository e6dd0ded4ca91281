//! Requests to a running service.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, header};
use serde_json::Value;
use url::Url;

use crate::secrets::first_token;

/// Bodies for or from a service that have more bytes than this are kept in a temporary file until they are complete.
pub const SPOOL_ABOVE: u64 = 4 << 20;

/// The token for the service.
#[derive(Args)]
pub struct TokenFile {
    /// A file with a token for the service, if it requires one; the first token in it is sent
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// A running service.
pub struct ServiceClient {
    address: Url,
    token: Option<String>,
    client: Client,
    /// Why this service is used, for errors.
    why: Option<String>,
}

/// The response of a service.
pub enum Answer {
    /// The request succeeded, with this document.
    Done(Value),
    /// The request was refused.
    Refused {
        /// The status of the response.
        status: StatusCode,
        /// The code in the problem document; empty if there is none.
        code: String,
        /// Why, and how to fix it.
        detail: String,
    },
}

impl ServiceClient {
    /// The service at an address, with a token if there is one.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn new(address: Url, token: &TokenFile) -> anyhow::Result<Self> {
        let token = token.token_file.as_deref().map(first_token).transpose()?;
        Ok(Self { address, token, client: client()?, why: None })
    }

    /// The same, with the reason why this service is used, for errors.
    #[must_use]
    pub fn because(self, why: String) -> Self {
        Self { why: Some(why), ..self }
    }

    /// The beginning of an error.
    fn reason(&self) -> String {
        self.why.as_ref().map_or_else(String::new, |why| format!("{why}, and "))
    }

    /// The address of the service.
    pub fn address(&self) -> &Url {
        &self.address
    }

    /// The URL of a path of the service.
    pub fn url(&self, path: &str, query: &[(String, String)]) -> anyhow::Result<Url> {
        let server = self.address.as_str().trim_end_matches('/');
        let mut url: Url =
            format!("{server}/{path}").parse().with_context(|| format!("{server} is not the address of a service"))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    /// A request with the token.
    pub fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.client.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request.
    pub async fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let sent = request.send().await.map_err(reqwest::Error::without_url);
        let failed = || format!("{}no service can be reached at {}; name its address with --server", self.reason(), self.address);
        sent.with_context(failed)
    }

    /// Parses a response.
    pub async fn read(&self, response: Response) -> anyhow::Result<Answer> {
        let status = response.status();
        let body = response.bytes().await.map_err(reqwest::Error::without_url);
        let body = body.with_context(|| format!("the response of the service at {} was cut off", self.address))?;
        let answer: Option<Value> = serde_json::from_slice(&body).ok();
        Ok(match answer {
            Some(answer) if status.is_success() => Answer::Done(answer),
            Some(problem) if problem["detail"].is_string() => {
                let text = |key: &str| problem[key].as_str().unwrap_or_default();
                Answer::Refused { status, code: text("code").into(), detail: format!("{}{}", text("detail"), hint(text("code"))) }
            }
            _ => Answer::Refused {
                status,
                code: String::new(),
                detail: format!("it responded with {status}, but the response is not in the format of media-cache"),
            },
        })
    }

    /// Sends a request, and returns the document in the response.
    pub async fn ask(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        match self.read(self.send(request).await?).await? {
            Answer::Done(answer) => Ok(answer),
            Answer::Refused { detail, .. } => Err(anyhow::anyhow!(detail).context(format!(
                "{}the service at {} refused the request",
                self.reason(),
                self.address
            ))),
        }
    }

    /// Sends a request for a path, and returns the document in the response.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub async fn document(&self, method: Method, path: &str, query: &[(String, String)]) -> anyhow::Result<Value> {
        self.ask(self.request(method, self.url(path, query)?)).await
    }

    /// Replaces a component, and returns the document in the response.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub async fn send_component(&self, path: &str, query: &[(String, String)], component: Vec<u8>) -> anyhow::Result<Value> {
        let request = self.request(Method::PUT, self.url(path, query)?);
        self.ask(request.header(header::CONTENT_TYPE, "application/wasm").body(component)).await
    }
}

/// The error for a document that a service of this version does not send.
pub fn unexpected() -> anyhow::Error {
    anyhow::anyhow!("the response of the service is not in the format of this version of media-cache")
}

/// The address of a service.
pub fn service_address(text: &str) -> Result<Url, String> {
    let url: Option<Url> = text.parse().ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| "it must begin with http:// or https://".into())
}

/// A hint on how to fix a refused request.
fn hint(code: &str) -> &'static str {
    match code {
        "no-token" => "\nuse --token-file to name a file that contains one",
        "wrong-token" => "\nthe file named by --token-file must begin with a token of the service",
        "administration-off" => "\nuse --server with the address of the service's --admin-listen, if it has one",
        _ => "",
    }
}

fn client() -> anyhow::Result<Client> {
    // The provider is set once per process: an error means that it has already been set.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A proxy from the environment would see the token, and is not meant for services on this machine. A redirect would send the token to
    // another service.
    Ok(Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?)
}
