//! A resolver that returns scripted answers and records the names that were looked up.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use media_cache_http_downloader::{AccessRules, HttpDownloader, HttpOptions, Resolve};

/// A sequence of answers for each name. The last answer repeats.
#[derive(Default)]
pub struct ScriptedResolver {
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    otherwise: Mutex<Option<Vec<IpAddr>>>,
    lookups: Mutex<Vec<String>>,
}

impl ScriptedResolver {
    /// Sets the answers for a name.
    pub fn answers(&self, name: &str, answers: &[&[&str]]) {
        let addresses = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
        self.answers.lock().unwrap().insert(name.to_owned(), answers.iter().map(addresses).collect());
    }

    /// Sets the answer for all other names, which by default do not exist.
    pub fn answers_otherwise(&self, addresses: &[&str]) {
        *self.otherwise.lock().unwrap() = Some(addresses.iter().map(|address| address.parse().unwrap()).collect());
    }

    /// The names that were looked up since the last call.
    pub fn new_lookups(&self) -> Vec<String> {
        std::mem::take(&mut *self.lookups.lock().unwrap())
    }

    /// A downloader with this resolver that may connect to public addresses and to those in `allowed`.
    #[must_use]
    pub fn downloader(self: &Arc<Self>, allowed: &[&str]) -> HttpDownloader {
        let allow_addresses = allowed.iter().map(|range| range.parse().unwrap()).collect();
        let access = AccessRules { allow_addresses, ..AccessRules::default() };
        HttpDownloader::new(HttpOptions { access, resolver: self.clone(), ..HttpOptions::default() }).unwrap()
    }
}

impl Resolve for ScriptedResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.lookups.lock().unwrap().push(name.to_owned());
        let mut answers = self.answers.lock().unwrap();
        let answer = match answers.get_mut(name) {
            Some(answers) if answers.len() > 1 => Ok(answers.remove(0)),
            Some(answers) => Ok(answers[0].clone()),
            None => {
                let otherwise = self.otherwise.lock().unwrap().clone();
                otherwise.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such name"))
            }
        };
        Box::pin(async { answer })
    }
}
